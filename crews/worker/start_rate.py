"""How fast runs are started."""

from __future__ import annotations

import time
from collections.abc import Callable

TOGETHER = 0.1
"""Seconds that one waits at least for more to start."""


class StartRate:
    """At most `rate` a second, on average; at most `burst` at once."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._since = clock()

    def room(self) -> int:
        """How many may be started now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        return max(0, int(self._left))

    def took(self, number: int) -> None:
        """So many were started."""
        self._left -= number

    def wait(self) -> float:
        """Seconds until it is worth looking again; 0 if it is now. Several are started together."""
        return 0.0 if self._left >= 1.0 else max(TOGETHER, (1.0 - self._left) / self._rate)
