"""What ends a prompt besides an answer. Signals, no errors."""

from __future__ import annotations


class Withdrawn(Exception):  # noqa: N818
    """What was asked for isn't wanted any more."""


class Interrupted(Exception):  # noqa: N818
    """The person pressed Ctrl-C."""
