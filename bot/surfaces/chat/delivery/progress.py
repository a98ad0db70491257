"""Which progress messages are to be redrawn, and when: none too often, the one that waits longest first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from bot.surfaces.chat.work_limit import slot_released

REMEMBER_DRAWN_S = 3600.0


class ProgressUpdater:
    """Redraws one run after the other, so that with many busy runs each is redrawn less often."""

    def __init__(
        self,
        draw: Callable[[str], Awaitable[None]],
        wait_for_room: Callable[[], Awaitable[None]],
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        #: Between two edits of one run's message, at least.
        self._interval_s = interval_s
        self._draw = draw
        self._wait_for_room = wait_for_room
        self._clock = clock
        #: When each marked run may be drawn, and when each run was drawn last.
        self._due: dict[str, float] = {}
        self._drawn: dict[str, float] = {}
        self._marked = asyncio.Event()

    def mark(self, run_id: str, after_s: float = 0.0) -> None:
        """Redraw it soon, in `after_s` seconds at the earliest. Marked twice, it is drawn once."""
        now = self._clock()
        earliest = max(now + after_s, self._drawn.get(run_id, now - self._interval_s) + self._interval_s)
        self._due[run_id] = min(earliest, self._due.get(run_id, earliest))
        self._marked.set()

    def drawn(self, run_id: str) -> None:
        """It has just been drawn (or posted)."""
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
        """Draw what is marked, for ever: what is due first comes first, also if it was marked later."""
        while True:
            await self._something_due()
            await self._wait_for_room()
            if (run_id := self._first_due()) is not None:
                del self._due[run_id]
                await self._draw(run_id)

    def _first_due(self) -> str | None:
        run_id = min(self._due, key=self._due.__getitem__, default=None)
        return run_id if run_id is not None and self._due[run_id] <= self._clock() else None

    async def _something_due(self) -> None:
        while self._first_due() is None:
            self._marked.clear()
            soonest = min(self._due.values(), default=None)
            try:
                async with asyncio.timeout(None if soonest is None else max(0.0, soonest - self._clock())):
                    await self._marked.wait()
            except TimeoutError:
                continue
