"""Exit statuses."""

from __future__ import annotations

from crewdeck.client import Run

COMPLETED = 0
FAILED = 1
"""The run failed or was cancelled, or the answer was refused."""
MISTAKE = 2
"""A correctable mistake: arguments, address or key."""
INTERRUPTED = 130
"""Ctrl-C. The run, if there is one, continues."""


def of_run(run: Run) -> int:
    """The exit status for a finished run."""
    return COMPLETED if run.status == "completed" else FAILED


class Withdrawn(Exception):  # noqa: N818
    """The prompt was withdrawn, because it is no longer current."""


class Interrupted(Exception):  # noqa: N818
    """The person pressed Ctrl-C."""
