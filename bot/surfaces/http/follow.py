"""What the transports follow, whatever it is: a run, or what all runs ask."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from bot.surfaces.http.wire import Message

RECHECK = 5.0
"""Seconds after which all that is followed is looked at although nothing woke us: one batch a process."""
RETRY = 0.5
"""Seconds between two tries while the store is away."""


class Follower(Protocol):
    """One client's way through a stream: a position and no queue, so that a slow client costs nothing."""

    async def next(self, seconds: float) -> Sequence[Message]:
        """What follows, as soon as there is something; nothing if `seconds` have passed without.

        Raises StoreUnavailable.
        """


class Change:
    """Wakes everybody who waits for the next change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()
        self._event.clear()

    async def wait(self, seconds: float) -> None:
        """Until the next change, but `seconds` at most."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
