"""The store's clock, kept going: deadlines, reminders, lost leases, and runs to forget."""

from __future__ import annotations

import asyncio
from typing import Never

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import Clock
from bot.core.run import RunError

log = structlog.get_logger(__name__)

LONGEST = 1.0
"""Seconds between two looks at what is due. Whatever is set for longer than that (every lease, every
deadline) is seen before it is due, and happens on time. Any number of processes may keep the clock: a look
costs little."""
SHORTEST = 0.05
"""Seconds between two looks where much is due at about the same time."""
AWAY = 0.5
"""Seconds between two looks at whether the store is back."""

QUARANTINED = RunError(
    code="quarantined",
    message="Three workers died while they ran this, at the same point. To keep others safe from it, it is "
    "not tried again by itself. The workers' logs may say why.",
)
"""What becomes of a run that its workers die of."""


async def keep_time(store: Clock) -> Never:
    """Tick whenever something is due, for ever. While the store is away, wait: it is made up for later.

    Each look is noted in the store. By that it knows when nobody has looked for a while, since the store or
    all of us stood still; then it gives leases their time anew (`look` in scripts/prelude.lua).
    """
    while True:
        try:
            wait = await store.due(LONGEST)
            if wait <= 0:
                await store.tick(QUARANTINED)
        except StoreUnavailable as error:
            log.debug("The clock waits for the store", reason=str(error))
            wait = AWAY
        await asyncio.sleep(max(wait, SHORTEST))
