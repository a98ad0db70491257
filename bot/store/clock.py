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

LOST = RunError(
    code="worker_lost",
    message="The worker that had this run stopped unexpectedly. What it had done so far is in the thread; "
    "start it again if you still need it.",
)
"""What becomes of a run whose worker is gone."""


async def keep_time(store: Clock) -> Never:
    """Tick for ever. While the store is away, wait: its deadlines are kept as soon as it is back."""
    while True:
        try:
            await store.tick(LOST)
        except StoreUnavailable as error:
            log.debug("The clock waits for the store", reason=str(error))
        await asyncio.sleep(EVERY)
