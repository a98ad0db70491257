"""When an event is tried again, and when no more."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0
JITTER = 0.2
"""Each wait is longer or shorter by up to this part: what failed together doesn't come back together."""


@dataclass(frozen=True)
class Schedule:
    """Times in seconds: 5 s, 15 s, 45 s, ... 4 h after the try before, for three days."""

    first: float = 5.0
    factor: float = 3.0
    longest: float = 4 * HOUR
    #: How long an event is tried, from when it happened or was asked for again.
    total: float = 72 * HOUR

    def wait(self, tries: int, age: float, chance: float, *, at_least: float = 0.0) -> float | None:
        """How long to wait after `tries` (from 1) of an event that is `age` old; None: give it up.

        `chance` is a random number from 0 to 1. The last try is made when the time is up, not before;
        `at_least` is what the receiver asked for.
        """
        left = self.total - age
        if left <= 0:
            return None
        # The exponent has a bound: 3 ** 650 is no float.
        plain = min(self.first * self.factor ** min(tries - 1, 50), self.longest)
        jittered = plain * (1 - JITTER + 2 * JITTER * chance)
        return min(max(jittered, min(at_least, self.longest)), left)
