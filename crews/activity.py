"""Whether something of a run is under way, which is to be recorded before the run leaves its worker."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from crews.writer import Writer


class Activity:
    """One run's. From any thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = threading.Condition()
        self._under_way = 0
        self._idle_since = time.monotonic()

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
                self._lock.notify_all()

    def stirred(self) -> None:
        """Something goes on, be it no step."""
        with self._lock:
            self._idle_since = time.monotonic()

    def idle(self) -> float | None:
        """For how many seconds no step was under way; None while one is, or is being recorded."""
        with self._lock:
            under_way = self._under_way or self._writer.behind
            return None if under_way else time.monotonic() - self._idle_since

    async def over(self) -> None:
        """Returns once nothing is under way any more; what was is recorded then. Raises Fenced."""
        await asyncio.to_thread(self._wait_until_idle)
        await self._writer.flushed()

    def _wait_until_idle(self) -> None:
        with self._lock:
            self._lock.wait_for(lambda: not self._under_way)
