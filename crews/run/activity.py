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
"""`call`: the step that stands for this thread's call until the first step of the call begins."""


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
        call: Step | None = getattr(_THREAD, "call", None)
        if call is not None:
            call.end()
        return step

    def track_call(
        self, call: Callable[[], T], *, submit: Callable[[Callable[[], T]], Future[T]]
    ) -> Future[T]:
        """Have `submit`, an executor's, make the call in a thread; returns its future.

        The call is a step that is under way from now until its own first step begins. A thread may
        begin late; the run doesn't leave before that, even if all others ask people meanwhile.
        """
        step = self._begin()

        def tracked() -> T:
            _THREAD.call = step
            try:
                return call()
            finally:
                del _THREAD.call

        future = submit(tracked)
        future.add_done_callback(lambda _future: step.end())  # Also if it is cancelled, and never called.
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
