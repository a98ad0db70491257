"""Whether something takes linear time, by the processor time of this thread: a busy machine is no matter."""

from __future__ import annotations

import time
from collections.abc import Callable


def growth(work: Callable[[int], object], size: int) -> float:
    """How much longer four times the size takes: about 4 if it is linear, 16 if it is square."""
    work(size)
    return _least(work, 4 * size) / max(0.001, _least(work, size))


def _least(work: Callable[[int], object], size: int) -> float:
    return min(_taken(work, size) for _ in range(3))


def _taken(work: Callable[[int], object], size: int) -> float:
    begun = time.thread_time()
    work(size)
    return time.thread_time() - begun


LINEAR = 11.0
"""What `growth` is below, however unevenly a machine runs."""
