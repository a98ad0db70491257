"""Whether something takes linear time, by the processor time of this thread: a busy machine is no matter."""

from __future__ import annotations

import time
from collections.abc import Callable

LINEAR = 11.0
"""What `growth` is below, however unevenly a machine runs."""
CERTAIN = 6.0
"""A growth below this needs no second measurement: that of square time is 16."""


def growth(work: Callable[[int], object], size: int) -> float:
    """How much longer four times the size takes: about 4 if it is linear, 16 if it is square."""
    work(size)
    small, large = _taken(work, size), _taken(work, 4 * size)
    for _ in range(2):
        if _growth(small, large) < CERTAIN:
            break
        small, large = min(small, _taken(work, size)), min(large, _taken(work, 4 * size))
    return _growth(small, large)


def _growth(small: float, large: float) -> float:
    return large / max(0.001, small)


def _taken(work: Callable[[int], object], size: int) -> float:
    begun = time.thread_time()
    work(size)
    return time.thread_time() - begun
