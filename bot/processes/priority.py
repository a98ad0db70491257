"""The CPU priority of child processes."""

from __future__ import annotations

import contextlib
import os

MAX_NICENESS = 19


def lower(pid: int, by: int) -> None:
    """Give a child so much less CPU priority than this process has. Best effort.

    Less than this process, whatever that has: only an administrator may raise a priority, so a fixed one
    would fail where `serve` was started with `nice`.
    """
    with contextlib.suppress(OSError):
        niceness = os.getpriority(os.PRIO_PROCESS, 0) + by
        os.setpriority(os.PRIO_PROCESS, pid, min(niceness, MAX_NICENESS))
