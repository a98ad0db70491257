"""What tools did, as the file says in which they leave their traces (tests/faults/chaos/toolbox.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

DIES = "{mark}.{what}.{moment}.dies"
"""The file beside it that tells a tool to kill its process before it does something, or after."""


@dataclass(frozen=True)
class Trace:
    """One thing that was done."""

    mark: str
    what: str
    #: The idempotency key of the call, which names the step.
    key: str
    pid: int
    #: Where in the file it is.
    at: int


@dataclass(frozen=True)
class Effects:
    """All of it, in order."""

    file: Path

    @property
    def end(self) -> int:
        """Where the next trace will be."""
        return self.file.stat().st_size if self.file.exists() else 0

    def traces(self, mark: str | None = None) -> list[Trace]:
        if not self.file.exists():
            return []
        found, at = [], 0
        for line in self.file.read_bytes().splitlines(keepends=True):
            found.append(Trace(**json.loads(line), at=at))
            at += len(line)
        return [each for each in found if mark in {None, each.mark}]

    def told(self, mark: str, what: str, moment: str) -> Path:
        """The file that tells a tool to kill its process then; it is gone once the tool has."""
        return self.file.with_name(DIES.format(mark=mark, what=what, moment=moment))
