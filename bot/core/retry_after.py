"""`Retry-After`, as other people's servers send it."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime

MIN_RETRY_AFTER_S = 0.05
"""Seconds: nobody is asked again without a pause, whatever they say."""


def parse_retry_after(value: str | None, *, most: float, now: float | None = None) -> float | None:
    """For how many seconds a server wants to be left alone: between LEAST and `most`.

    `value` is its header: seconds, or the date of HTTP. None: it doesn't say, or says nought, a time that has
    passed or what can't be read; the caller then waits as long as it does by itself.
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
