"""Tracks the steps of a run that are under way; they are recorded before the run leaves its worker."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from crews.journal.writer import Writer


class Activity:
    """One run's. From any thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._under_way = 0
        self._idle_since = time.monotonic()
        #: For those who wait until nothing is under way.
        self._waiting: list[Future[None]] = []

    @contextmanager
    def step(self) -> Iterator[None]:
        """A step is under way while the block runs."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._idle_since = time.monotonic()
                over = self._take_waiting() if not self._under_way else ()
            for each in over:
                each.set_result(None)

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

    def _take_waiting(self) -> list[Future[None]]:
        waiting, self._waiting = self._waiting, []
        return waiting
