"""A worker whose clock is wrong: `main([seconds, "worker"])`, so much ahead, or behind with a minus."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Sequence

from crews.__main__ import main as crews


def main(arguments: Sequence[str]) -> int:
    shift(float(arguments[0]))
    return crews(list(arguments[1:]))


def shift(seconds: float) -> None:
    """From now on it is so much later, for whoever looks at a clock of the calendar."""
    right, right_ns, by = time.time, time.time_ns, dt.timedelta(seconds=seconds)
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + int(seconds * 1_000_000_000)

    class _LikeDatetime(type):
        def __instancecheck__(cls, each: object) -> bool:
            return isinstance(each, _DATETIME)

    class Shifted(dt.datetime, metaclass=_LikeDatetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return _DATETIME.now(tz) + by

        @classmethod
        def utcnow(cls) -> dt.datetime:  # type: ignore[override]
            return _DATETIME.now(dt.UTC).replace(tzinfo=None) + by

    for module in tuple(sys.modules.values()):
        if getattr(module, "datetime", None) is _DATETIME:
            module.__dict__["datetime"] = Shifted


_DATETIME = dt.datetime
