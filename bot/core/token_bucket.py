"""A token bucket, for all that is limited to so many a second."""

from __future__ import annotations


class TokenBucket:
    """Tokens that return at `per_second`, up to `burst`; it starts full.

    Times are seconds of any monotonic clock.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self.per_second = per_second
        self.burst = burst
        #: As of the last refill; below zero if more were taken.
        self.tokens = float(burst)
        self._refilled_at: float | None = None

    def refill(self, now: float) -> None:
        """Add the tokens that have returned since the last refill."""
        if self._refilled_at is not None:
            returned = max(0.0, now - self._refilled_at) * self.per_second
            self.tokens = min(float(self.burst), self.tokens + returned)
        self._refilled_at = now if self._refilled_at is None else max(now, self._refilled_at)

    def seconds_until(self, tokens: float) -> float:
        """Seconds after the last refill until so many tokens are there; 0 if they are."""
        return max(0.0, tokens - self.tokens) / self.per_second

    def take(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        self.refill(now)
        seconds = self.seconds_until(1)
        if not seconds:
            self.tokens -= 1
        return seconds
