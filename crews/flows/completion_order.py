"""The order in which a flow's methods complete: as recorded during the replay, then as it happens.

Which method starts next can depend on which one was first (`or_`, routers), and the state on which was last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import takewhile

from crews.run.activity import branch_waits

POLL_INTERVAL_S = 0.1
QUIET_POLLS = 20
"""Polls in a row without any progress, after which missing completions count as never occurring."""


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
        #: Recorded completions that will occur, however long they take.
        self._promised: set[int] = set()
        self._in_turn = False
        self._progress = asyncio.Event()
        self._missing = missing
        self._searching = asyncio.Lock()

    def promise(self, number: int) -> None:
        """This recorded completion will occur, however long it takes."""
        self._promised.add(number)

    def retract(self, number: int) -> None:
        """This recorded completion may not occur after all."""
        self._promised.discard(number)

    async def wait_until_next(self, number: int) -> None:
        """Return once all earlier recorded completions have occurred."""
        await self._until(lambda: self._expected[:1] == [number])

    async def wait_until_caught_up(self) -> None:
        """Return once all recorded completions have occurred."""
        await self._until(lambda: not self._expected)

    async def begin_turn(self, number: int | None = None) -> int:
        """Begin the turn of a recorded completion, or of a new one after all of those; returns its number."""
        if number is None:
            await self._until(lambda: not self._expected and not self._in_turn)
            self._last += 1
        else:
            await self._until(lambda: self._expected[:1] == [number] and not self._in_turn)
            del self._expected[0]
        self._in_turn = True
        return number or self._last

    def end_turn(self) -> None:
        """End the turn: the next completion may occur."""
        self._in_turn = False
        self._notify()

    def _notify(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()

    async def _until(self, ready: Callable[[], bool]) -> None:
        if not ready():
            with branch_waits():  # Waits for other branches, which may wait for people.
                await self._waited(ready)

    async def _waited(self, ready: Callable[[], bool]) -> None:
        still = 0
        while not ready():
            try:
                async with asyncio.timeout(POLL_INTERVAL_S):
                    await self._progress.wait()
                still = 0
            except TimeoutError:
                still = still + 1 if self._stuck() else 0
            if still > QUIET_POLLS:
                await self._search()
                still = 0

    def _stuck(self) -> bool:
        return not self._in_turn and bool(self._expected) and self._expected[0] not in self._promised

    async def _search(self) -> None:
        async with self._searching:
            if not self._stuck():
                return
            # Later completions may depend on one that will still occur.
            missing = tuple(takewhile(lambda number: number not in self._promised, self._expected))
            await self._missing(missing)
            self._expected = [number for number in self._expected if number not in missing]
        self._notify()
