"""Working time, which does not count while people are asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Counts working time; calls `expired` once after `limit` seconds. Used on its loop, but for `worked`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limit: int | None,
        expired: Callable[[], None],
        worked: float = 0.0,
    ) -> None:
        """`worked`: seconds that have been worked before."""
        self._loop = loop
        self._limit = limit
        self._expired = expired
        self._lock = threading.Lock()
        self._before = worked
        #: Since when it runs.
        self._since: float | None = None
        self._pauses = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def worked(self) -> float:
        """Seconds of working time so far. From any thread."""
        with self._lock:
            return self._before + (self._loop.time() - self._since if self._since is not None else 0.0)

    def start(self) -> None:
        if self._closed or self._since is not None:
            return
        with self._lock:
            self._since = self._loop.time()
        if self._limit is not None:
            self._timer = self._loop.call_later(max(0.0, self._limit - self._before), self._expired)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time doesn't count while the block runs, nor while any other such block does."""
        self._pauses += 1
        if self._pauses == 1:
            self._cancel_timer()
        try:
            yield
        finally:
            self._pauses -= 1
            if self._pauses == 0:
                self.start()

    def close(self) -> None:
        self._closed = True
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        worked = self.worked()
        with self._lock:
            self._before, self._since = worked, None
