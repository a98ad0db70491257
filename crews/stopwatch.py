"""Working time: the clock stands still while people are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Calls `expired` once after `limit` seconds of working time. Used on its loop only."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limit: int | None, expired: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._left = float(limit) if limit is not None else None
        self._expired = expired
        self._since = 0.0
        self._pauses = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self) -> None:
        if self._left is not None and not self._closed:
            self._since = self._loop.time()
            self._timer = self._loop.call_later(self._left, self._expired)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time doesn't count while the block runs, nor while any other such block does."""
        self._pauses += 1
        if self._pauses == 1:
            self._halt()
        try:
            yield
        finally:
            self._pauses -= 1
            if self._pauses == 0:
                self.start()

    def close(self) -> None:
        self._closed = True
        self._halt()

    def _halt(self) -> None:
        if self._timer is not None and self._left is not None:
            self._timer.cancel()
            self._timer = None
            self._left = max(0.0, self._left - (self._loop.time() - self._since))
