"""Exit statuses."""

from __future__ import annotations

from crewdeck.client import Run

COMPLETED = 0
FAILED = 1
"""The run failed or was cancelled; the answer doesn't count."""
MISTAKE = 2
"""Something that can be put right: the words, the address, the key."""
INTERRUPTED = 130
"""Ctrl-C: the run, if there is one, goes on."""


def of_run(run: Run) -> int:
    """The status of a run that is over."""
    return COMPLETED if run.status == "completed" else FAILED


class Withdrawn(Exception):  # noqa: N818
    """What was asked for isn't wanted any more."""


class Interrupted(Exception):  # noqa: N818
    """The person pressed Ctrl-C."""
