"""How many runs wait for people in a worker's memory, where each of them holds threads, and how long."""

from __future__ import annotations

from typing import Protocol


class Hurried(Protocol):
    """A run that can leave memory before its time."""

    def hurry(self) -> None:
        """Leave as soon as nothing else is going on."""


class HotRuns:
    """One worker's. Used on the crews' loop only."""

    def __init__(self, window: float = 60.0, most: int = 100) -> None:
        """`window`: seconds after which a run leaves. Beyond `most` the ones that waited longest do."""
        self.window = window
        self._most = most
        #: In the order in which they began to wait.
        self._waiting: dict[Hurried, None] = {}

    def waits(self, run: Hurried) -> None:
        """The run does nothing but wait from now on."""
        self._waiting[run] = None
        while len(self._waiting) > self._most:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.hurry()

    def left(self, run: Hurried) -> None:
        """It doesn't any more: it goes on, or leaves."""
        self._waiting.pop(run, None)
