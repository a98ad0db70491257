"""Whose turn it is: in which order queued runs are taken.

Runs that were begun before go ahead of new ones. Crews take turns, and in a crew its requesters do, so that
nobody waits behind everything that somebody else has started. One requester's runs of a crew are taken oldest
first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, islice
from typing import NamedTuple


class LineKind(StrEnum):
    """Why a run is queued; a crew has one line of each kind."""

    #: Two workers died of it: only workers that hold nothing else take it.
    ALONE = "alone"
    #: It was claimed before: its question was answered, its worker died or stopped.
    AGAIN = "again"
    NEW = "new"


USUAL = (LineKind.AGAIN, LineKind.NEW)
"""The lines that a worker serves, in their order."""


class Queued(NamedTuple):
    """A queued run: since when (for a run that is taken up again, when it was created), and which."""

    at: int
    id: str


@dataclass(frozen=True)
class Waiter:
    """Somebody whose runs wait in a line."""

    requester: str
    #: When they had their last turn, or came.
    turn: int
    #: Oldest first.
    runs: tuple[Queued, ...]


@dataclass(frozen=True)
class Line:
    """Queued runs of one crew."""

    kind: LineKind
    crew: str
    #: When the crew had its last turn, or came.
    turn: int
    waiters: tuple[Waiter, ...]

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.crew}"


class Pick(NamedTuple):
    """A run whose turn it is."""

    line: Line
    requester: str
    run: Queued


def choose(lines: Iterable[Line], room: int, kinds: Iterable[LineKind] = USUAL) -> list[Pick]:
    """The `room` runs whose turn is next, in their order."""
    known = tuple(lines)
    order = (pick for kind in kinds for pick in _crews([line for line in known if line.kind is kind]))
    return list(islice(order, room))


def _crews(lines: list[Line]) -> Iterator[Pick]:
    """All runs of some lines: the crews take turns."""
    # A turn that is taken here is later than all of before.
    later = count()
    waiting = [((0, line.turn), line.crew, _requesters(line)) for line in lines]
    heapq.heapify(waiting)
    while waiting:
        _, crew, picks = waiting[0]
        pick = next(picks, None)
        if pick is None:
            heapq.heappop(waiting)
        else:
            yield pick
            heapq.heapreplace(waiting, ((1, next(later)), crew, picks))


def _requesters(line: Line) -> Iterator[Pick]:
    """All runs of a line: the requesters take turns."""
    later = count()
    waiting = [
        ((0, each.turn), each.runs[0], each.requester, iter(each.runs)) for each in line.waiters if each.runs
    ]
    heapq.heapify(waiting)
    while waiting:
        _, first, requester, runs = waiting[0]
        run = next(runs, None)
        if run is None:
            heapq.heappop(waiting)
        else:
            yield Pick(line, requester, run)
            heapq.heapreplace(waiting, ((1, next(later)), first, requester, runs))
