"""A run's progress in the order in which it happened.

Threads of a run tell of it side by side: events wait a moment, are sorted by the number that CrewAI gave
them, and recorded one after the other.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bot.core.events.event import TaskCompleted, TaskStarted

Progressed = TaskStarted | TaskCompleted

REORDER_DELAY_S = 0.02
"""Seconds that an event waits for earlier ones."""
START_TIMEOUT_S = 1.0
"""Seconds that a question waits for the start of its task to be known."""


class Progress:
    """The progress of one run. `add` is thread-safe; everything else is used on the run's loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        record: Callable[[Progressed], object],
        written: Callable[[], Awaitable[None]],
    ) -> None:
        """`record` returns at once, before the event is recorded; `written` returns once all are."""
        self._loop = loop
        self._record = record
        self._written = written
        self._waiting: list[tuple[int, int, Progressed]] = []
        self._news = asyncio.Event()
        self._started: dict[str, asyncio.Future[None]] = {}

    def add(self, sequence: int, event: Progressed) -> None:
        """Queue an event, which is CrewAI's `sequence`-th one of this run."""
        with suppress(RuntimeError):  # The worker has stopped.
            self._loop.call_soon_threadsafe(self._push, sequence, event)

    async def follow(self) -> None:
        """Record queued events, until cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(REORDER_DELAY_S)
            await self.flush()

    async def flush(self) -> None:
        """Return once all queued events are recorded."""
        begun = self.hand_over()
        await self._written()
        for task_id in begun:
            if not self._start_of(task_id).done():
                self._start_of(task_id).set_result(None)

    def hand_over(self) -> list[str]:
        """Have all queued events recorded, without waiting for that; returns the tasks that were started."""
        self._news.clear()
        begun = []
        while self._waiting:
            event = heapq.heappop(self._waiting)[2]
            self._record(event)
            if isinstance(event, TaskStarted):
                begun.append(event.task_id)
        return begun

    async def started(self, task_id: str) -> None:
        """Return once the start of this task is recorded, or after START_TIMEOUT_S."""
        await asyncio.wait({self._start_of(task_id)}, timeout=START_TIMEOUT_S)

    def _push(self, sequence: int, event: Progressed) -> None:
        heapq.heappush(self._waiting, (sequence, len(self._waiting), event))
        self._news.set()

    def _start_of(self, task_id: str) -> asyncio.Future[None]:
        if task_id not in self._started:
            self._started[task_id] = self._loop.create_future()
        return self._started[task_id]
