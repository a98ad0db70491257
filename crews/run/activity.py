"""Tracks the steps of a run that are under way; they are recorded before the run leaves its worker."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from crews.journal.writer import Writer

T = TypeVar("T")
_THREAD = threading.local()
"""`coming`: the step that stands for what this thread does before its own first one."""


class Step:
    """A step that is under way until it is ended: once, from any thread, or with its block."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._ended: Callable[[], None] | None = ended

    def end(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, None
        if ended is not None:
            ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.end()


class Activity:
    """One run's. From any thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._under_way = 0
        self._idle_since = time.monotonic()
        #: For those who wait until nothing is under way.
        self._waiting: list[Future[None]] = []

    def step(self) -> Step:
        """A step, which is under way from now on."""
        step = self._begin()
        coming: Step | None = getattr(_THREAD, "coming", None)
        if coming is not None:
            coming.end()
        return step

    def submit(self, submit: Callable[[Callable[[], T]], Future[T]], call: Callable[[], T]) -> Future[T]:
        """Submit a call to a thread of its own; it is under way from now until its first step begins.

        The thread may begin late: others, which ask people meanwhile, don't let the run leave before.
        """
        coming = self._begin()

        def work() -> T:
            _THREAD.coming = coming
            try:
                return call()
            finally:
                del _THREAD.coming

        future = submit(work)
        future.add_done_callback(lambda _future: coming.end())  # Also if it is cancelled, and never called.
        return future

    def touch(self) -> None:
        """Restart the idle time: something happened that is no step."""
        with self._lock:
            self._idle_since = time.monotonic()

    def idle(self) -> float | None:
        """Seconds since the last step ended; None while one is under way or being recorded."""
        with self._lock:
            under_way = self._under_way or self._writer.unwritten
            return None if under_way else time.monotonic() - self._idle_since

    async def wait_idle(self) -> None:
        """Return once no step is under way and all are recorded. Raises Fenced."""
        ended: Future[None] = Future()
        ended.set_running_or_notify_cancel()  # A waiter that gives up can't cancel it.
        with self._lock:
            self._waiting.append(ended)
            over = self._take_waiting() if not self._under_way else ()
        for each in over:
            each.set_result(None)
        await asyncio.wrap_future(ended)
        await self._writer.flushed()

    def _begin(self) -> Step:
        with self._lock:
            self._under_way += 1
        return Step(self._end)

    def _end(self) -> None:
        with self._lock:
            self._under_way -= 1
            self._idle_since = time.monotonic()
            over = self._take_waiting() if not self._under_way else ()
        for each in over:
            each.set_result(None)

    def _take_waiting(self) -> list[Future[None]]:
        waiting, self._waiting = self._waiting, []
        return waiting
