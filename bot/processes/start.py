"""What all processes that run for long do with what they were started with: open files and signals."""

from __future__ import annotations

import contextlib
import signal
import sys

MAX_OPEN_FILES = (65_536, 10_240)
"""The first that the system allows: each client of a stream needs one, and each run some."""


def allow_open_files() -> None:
    """Raise this process's limit of open files, which usually is 1,024, as far as it may do so itself."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in MAX_OPEN_FILES:
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        if soft in {resource.RLIM_INFINITY, allowed} or soft > allowed:
            return
        with contextlib.suppress(ValueError, OSError):  # macOS allows less than its hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            return


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that stop this process; `nohup` has it ignore that the terminal is closed."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return tuple(signals)
