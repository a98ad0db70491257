"""The rate limiter for starts of runs: a token bucket that several starts share."""

from __future__ import annotations

import time
from collections.abc import Callable

BATCH_DELAY_S = 0.1
"""The shortest wait for the next token, so that several runs start together."""


class StartRate:
    """At most `rate` a second, on average; at most `burst` at once."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._since = clock()

    def available(self) -> int:
        """The number of runs that may start now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        return max(0, int(self._left))

    def consume(self, number: int) -> None:
        """Take tokens for started runs."""
        self._left -= number

    def delay(self) -> float:
        """Seconds until the next token, at least BATCH_DELAY_S; 0 if one is available."""
        return 0.0 if self._left >= 1.0 else max(BATCH_DELAY_S, (1.0 - self._left) / self._rate)
