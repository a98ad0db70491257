"""Acknowledgements first: what nobody waits for makes room while a person's press is being worked on.

Slack gives an acknowledgement three seconds, and people are less patient; showing runs has no deadline. They
share one event loop, where a hundred runs to be shown would be a queue in front of every press.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 0.5
"""Seconds that showing runs is held up at most, so that no storm of presses stops it."""


class AckPriority:
    """Who goes first in this process."""

    def __init__(self) -> None:
        self._urgent = 0
        self._calm = asyncio.Event()
        self._calm.set()
        self._turn = asyncio.Lock()

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Somebody waits for what the block does."""
        self._urgent += 1
        self._calm.clear()
        try:
            yield
        finally:
            self._urgent -= 1
            if not self._urgent:
                self._calm.set()

    async def yield_to_acks(self) -> None:
        """Return when nobody waits for an acknowledgement. One caller at a time: no herd follows a gap."""
        async with self._turn:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._calm.wait()
            except TimeoutError:
                return
