"""What is delivered next: which runs, and which progress messages.

Channels take turns, so that a busy one delays no other. A progress message is redrawn none too often, and the
one that waits longest comes first.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping

from bot.surfaces.chat.flow_control import slot_released

MAX_REMEMBERED_CHANNELS = 1000
"""Channels of which it is known when they had their last turn."""


class FairScheduler:
    """The runs that are being delivered, and the choice of the next ones."""

    def __init__(self, limit: int, limit_per_channel: int) -> None:
        self._limit = limit
        self._limit_per_channel = limit_per_channel
        #: The channel of each run that is being delivered.
        self._active: dict[str, str] = {}
        #: When each channel had its last turn, the longest ago first.
        self._last: dict[str, int] = {}
        self._turn = 0

    @property
    def full(self) -> bool:
        return len(self._active) >= self._limit

    def next(self, waiting: Mapping[str, str]) -> list[str]:
        """The ids of the runs that begin now. `waiting` maps runs to channels, the oldest first.

        One of each channel, then another of each; the channel whose last turn is longest ago comes first.
        """
        queues: dict[str, deque[str]] = {}
        for run_id, channel in waiting.items():
            if run_id not in self._active:
                queues.setdefault(channel, deque()).append(run_id)
        room = self._room(queues)
        order = deque(sorted(queues, key=lambda channel: self._last.get(channel, -1)))
        begun: list[str] = []
        while order and not self.full:
            channel = order.popleft()
            if not queues[channel] or not room[channel]:
                continue
            room[channel] -= 1
            begun.append(self._begin(queues[channel].popleft(), channel))
            order.append(channel)
        return begun

    def ended(self, run_id: str) -> None:
        del self._active[run_id]

    def _begin(self, run_id: str, channel: str) -> str:
        self._active[run_id] = channel
        self._turn += 1
        self._last.pop(channel, None)
        self._last[channel] = self._turn
        if len(self._last) > MAX_REMEMBERED_CHANNELS:
            del self._last[next(iter(self._last))]
        return run_id

    def _room(self, channels: Iterable[str]) -> dict[str, int]:
        active = Counter(self._active.values())
        return {channel: max(0, self._limit_per_channel - active[channel]) for channel in channels}


REMEMBER_DRAWN_S = 3600.0


class ProgressUpdater:
    """Redraws one run after the other, so that with many busy runs each is redrawn less often."""

    def __init__(
        self,
        draw: Callable[[str], Awaitable[None]],
        wait_for_capacity: Callable[[], Awaitable[None]],
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        #: Between two edits of one run's message, at least.
        self._interval_s = interval_s
        self._draw = draw
        self._wait_for_capacity = wait_for_capacity
        self._clock = clock
        #: When each scheduled run may be drawn, and when each run was drawn last.
        self._due: dict[str, float] = {}
        self._drawn: dict[str, float] = {}
        self._scheduled = asyncio.Event()

    def schedule(self, run_id: str, after_s: float = 0.0) -> None:
        """Redraw a run soon, in `after_s` seconds at the earliest. Scheduled twice, it is drawn once."""
        now = self._clock()
        earliest = max(now + after_s, self._drawn.get(run_id, now - self._interval_s) + self._interval_s)
        self._due[run_id] = min(earliest, self._due.get(run_id, earliest))
        self._scheduled.set()

    def mark_drawn(self, run_id: str) -> None:
        """Note that a run was drawn or posted just now."""
        now = self._clock()
        self._due.pop(run_id, None)
        self._drawn.pop(run_id, None)
        self._drawn[run_id] = now
        # They are in the order of time, so only the first ones can be old.
        while now - self._drawn[oldest := next(iter(self._drawn))] >= REMEMBER_DRAWN_S:
            del self._drawn[oldest]

    async def wait_until_due(self, run_id: str) -> None:
        """Return when it may be drawn again."""
        seconds = self._drawn.get(run_id, -self._interval_s) + self._interval_s - self._clock()
        if seconds > 0:
            async with slot_released():
                await asyncio.sleep(seconds)

    async def run(self) -> None:
        """Draw what is scheduled, for ever: what is due first comes first, also if it was scheduled later."""
        while True:
            await self._something_due()
            await self._wait_for_capacity()
            if (run_id := self._first_due()) is not None:
                del self._due[run_id]
                await self._draw(run_id)

    def _first_due(self) -> str | None:
        run_id = min(self._due, key=self._due.__getitem__, default=None)
        return run_id if run_id is not None and self._due[run_id] <= self._clock() else None

    async def _something_due(self) -> None:
        while self._first_due() is None:
            self._scheduled.clear()
            soonest = min(self._due.values(), default=None)
            try:
                async with asyncio.timeout(None if soonest is None else max(0.0, soonest - self._clock())):
                    await self._scheduled.wait()
            except TimeoutError:
                continue
