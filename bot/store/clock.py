"""The store's clock, kept going: deadlines, reminders, lost leases, and runs to forget."""

from __future__ import annotations

import asyncio
from typing import Never

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.model import RunError
from bot.core.ports import Clock

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two ticks. Any number of processes may keep the clock: an idle tick costs little."""

QUARANTINED = RunError(
    code="quarantined",
    message="Three workers died while they ran this, at the same point. To keep others safe from it, it is "
    "not tried again by itself. The workers' logs may say why.",
)
"""What becomes of a run that its workers die of."""


async def keep_time(store: Clock) -> Never:
    """Tick for ever. While the store is away, wait: its deadlines are kept as soon as it is back."""
    while True:
        try:
            await store.tick(QUARANTINED)
        except StoreUnavailable as error:
            log.debug("The clock waits for the store", reason=str(error))
        await asyncio.sleep(EVERY)
