"""Acknowledgements first: sending makes room while a request is being handled.

A platform waits about three seconds for an acknowledgement, and people are less patient; messages to threads
have no deadline. Both share one event loop, where a hundred runs to be shown would queue in front of a press.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MAX_YIELD_S = 0.5
"""Sending is held up for this long at most, so that no burst of presses stops it."""


class AckPriority:
    """Whether this process has requests to acknowledge."""

    def __init__(self) -> None:
        self._unacknowledged = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._turn = asyncio.Lock()

    @contextmanager
    def acknowledging(self) -> Iterator[None]:
        """The platform waits for what the block does."""
        self._unacknowledged += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._unacknowledged -= 1
            if not self._unacknowledged:
                self._idle.set()

    async def yield_to_acks(self) -> None:
        """Return when no request waits for its acknowledgement. Callers pass one at a time."""
        async with self._turn:
            try:
                async with asyncio.timeout(MAX_YIELD_S):
                    await self._idle.wait()
            except TimeoutError:
                return
