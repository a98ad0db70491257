"""How often a key may call: a bucket of tokens for each key, in each web process by itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from bot.surfaces.http.problems import Problem

BURST = 2.0
"""Seconds' worth of calls that may come at once."""


class Rates:
    """Buckets that fill at `rate` calls a second."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._full = max(1.0, rate * BURST)
        self._clock = clock
        #: By key: how many tokens it had, and when.
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count one call. Raises Problem (rate_limited), which says when the next one may come."""
        now = self._clock()
        tokens, at = self._buckets.get(name, (self._full, now))
        tokens = min(self._full, tokens + (now - at) * self._rate)
        if tokens < 1:
            self._buckets[name] = tokens, now
            seconds = max(1, math.ceil((1 - tokens) / self._rate))
            raise Problem(
                "rate_limited",
                f"This key may call {self._rate:g} times a second.",
                headers={"Retry-After": str(seconds)},
            )
        self._buckets[name] = tokens - 1, now
