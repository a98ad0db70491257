"""Parsing of the `Retry-After` header."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime

MIN_RETRY_AFTER_S = 0.05
"""The minimum delay, so that no server is retried without a pause."""


def parse_retry_after(value: str | None, *, most: float, now: float | None = None) -> float | None:
    """The delay in seconds that a server asks for, between MIN_RETRY_AFTER_S and `most`.

    `value` is the header: seconds or an HTTP date. None if it is absent, zero, in the past or invalid; the
    caller then uses its own delay.
    """
    seconds = _read((value or "").strip(), time.time() if now is None else now)
    return min(max(seconds, MIN_RETRY_AFTER_S), most) if seconds > 0 else None


def _read(value: str, now: float) -> float:
    try:
        seconds = float(value) if value.isascii() else math.nan
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return math.nan
    return seconds if math.isfinite(seconds) else math.nan
