"""Durations as people write them: `90s`, `24h`, `2h30m`."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+)\s*([dhms])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


LONGEST = 3650 * 86400
_LONGEST_TEXT = 40


def seconds(text: object) -> int:
    """The seconds that `text` stands for; ValueError says how to write it."""
    written = str(text).strip().lower()
    if len(written) > _LONGEST_TEXT:
        raise ValueError("must be a duration such as 90s, 24h or 2h30m, and is longer than that")
    if isinstance(text, bool) or not written or _PART.sub("", written).strip():
        raise ValueError(f"must be a duration such as 90s, 24h or 2h30m, not {text!r}")
    total = sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(written))
    if total < 1:
        raise ValueError("must be at least one second")
    if total > LONGEST:
        raise ValueError("must be at most 3650d; leave it out for what has no end")
    return total
