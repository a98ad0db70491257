"""How fast a worker starts runs: several starts at once share a token bucket."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.core.token_bucket import TokenBucket

BATCH_DELAY_S = 0.1
"""The shortest wait for the next token, so that several runs start together."""


class StartRate:
    """At most `rate` a second, on average; at most `burst` at once."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bucket = TokenBucket(rate, burst)
        self._clock = clock

    def available(self) -> int:
        """The number of runs that may start now."""
        self._bucket.refill(self._clock())
        return max(0, int(self._bucket.tokens))

    def consume(self, number: int) -> None:
        """Take tokens for started runs."""
        self._bucket.tokens -= number

    def delay(self) -> float:
        """Seconds until the next token, at least BATCH_DELAY_S; 0 if one is available."""
        seconds = self._bucket.seconds_until(1)
        return max(BATCH_DELAY_S, seconds) if seconds else 0.0
