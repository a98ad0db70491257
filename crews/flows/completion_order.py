"""The order in which a flow's methods complete: as recorded during the replay, then as it happens.

Which method starts next can depend on which one was first (`or_`, routers), and the state on which was last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import takewhile

POLL_INTERVAL_S = 0.1
QUIET_POLLS = 20
"""Ticks in a row without anything moving, after which what is missing won't come."""


class CompletionOrder:
    """The completion order of one flow. Used on its loop only.

    Each completion has a number. A method that completes takes its turn, and keeps it until the methods that
    follow have started.
    """

    def __init__(
        self, recorded: Iterable[int], missing: Callable[[tuple[int, ...]], Awaitable[None]]
    ) -> None:
        """`missing` is called with recorded completions that don't occur; they aren't expected afterwards."""
        self._expected = sorted(recorded)
        self._last = self._expected[-1] if self._expected else 0
        #: Recorded ends that are on their way.
        self._coming: set[int] = set()
        self._taken = False
        self._news = asyncio.Event()
        self._missing = missing
        self._searching = asyncio.Lock()

    def coming(self, number: int) -> None:
        """This recorded completion will occur, however long it takes."""
        self._coming.add(number)

    def lost(self, number: int) -> None:
        """It isn't any more."""
        self._coming.discard(number)

    async def next_is(self, number: int) -> None:
        """Return once all earlier recorded completions have occurred."""
        await self._until(lambda: self._expected[:1] == [number])

    async def caught_up(self) -> None:
        """Return once all recorded completions have occurred."""
        await self._until(lambda: not self._expected)

    async def take(self, number: int | None = None) -> int:
        """Take the turn of a recorded completion, or of a new one after all of those; returns its number."""
        if number is None:
            await self._until(lambda: not self._expected and not self._taken)
            self._last += 1
        else:
            await self._until(lambda: self._expected[:1] == [number] and not self._taken)
            del self._expected[0]
        self._taken = True
        return number or self._last

    def give(self) -> None:
        """The turn is over."""
        self._taken = False
        self._move()

    def _move(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _until(self, ready: Callable[[], bool]) -> None:
        still = 0
        while not ready():
            try:
                async with asyncio.timeout(POLL_INTERVAL_S):
                    await self._news.wait()
                still = 0
            except TimeoutError:
                still = still + 1 if self._stuck() else 0
            if still > QUIET_POLLS:
                await self._search()
                still = 0

    def _stuck(self) -> bool:
        return not self._taken and bool(self._expected) and self._expected[0] not in self._coming

    async def _search(self) -> None:
        async with self._searching:
            if not self._stuck():
                return
            # Later ends may depend on one that is still under way.
            missing = tuple(takewhile(lambda number: number not in self._coming, self._expected))
            await self._missing(missing)
            self._expected = [number for number in self._expected if number not in missing]
        self._move()
