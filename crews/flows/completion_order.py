"""In which order a flow's methods come to their ends: first as it is recorded, then as it happens.

What starts next can depend on who was first (`or_`, routers), and the state on who was last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import takewhile

TICK = 0.1
STILL = 20
"""Ticks in a row without anything moving, after which what is missing won't come."""


class CompletionOrder:
    """One flow's. Used on its loop only.

    Each end has a number. Whoever comes to one takes its turn, and keeps it until what follows from it has
    been started.
    """

    def __init__(
        self, recorded: Iterable[int], missing: Callable[[tuple[int, ...]], Awaitable[None]]
    ) -> None:
        """`missing` is called where recorded ends don't come up; if it returns, they aren't expected."""
        self._expected = sorted(recorded)
        self._last = self._expected[-1] if self._expected else 0
        #: Recorded ends that are on their way.
        self._coming: set[int] = set()
        self._taken = False
        self._news = asyncio.Event()
        self._missing = missing
        self._searching = asyncio.Lock()

    def coming(self, number: int) -> None:
        """This recorded end is on its way, however long it takes."""
        self._coming.add(number)

    def lost(self, number: int) -> None:
        """It isn't any more."""
        self._coming.discard(number)

    async def next_is(self, number: int) -> None:
        """Returns once everything that ended before this recorded end has been come to."""
        await self._until(lambda: self._expected[:1] == [number])

    async def caught_up(self) -> None:
        """Returns once everything recorded has been come to."""
        await self._until(lambda: not self._expected)

    async def take(self, number: int | None = None) -> int:
        """Take the turn of a recorded end, or of a new one behind all of those. Its number."""
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
                async with asyncio.timeout(TICK):
                    await self._news.wait()
                still = 0
            except TimeoutError:
                still = still + 1 if self._stuck() else 0
            if still > STILL:
                await self._search()
                still = 0

    def _stuck(self) -> bool:
        return not self._taken and bool(self._expected) and self._expected[0] not in self._coming

    async def _search(self) -> None:
        async with self._searching:
            if not self._stuck():
                return
            # What ended later may follow from one that is on its way.
            missing = tuple(takewhile(lambda number: number not in self._coming, self._expected))
            await self._missing(missing)
            self._expected = [number for number in self._expected if number not in missing]
        self._move()
