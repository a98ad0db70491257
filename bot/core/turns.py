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


class QueueKind(StrEnum):
    """Why a run is queued; a crew has one queue of each kind."""

    #: Two workers died of it: only workers that hold nothing else take it.
    ISOLATED = "isolated"
    #: It was claimed before: its question was answered, its worker died or stopped.
    RESUMED = "resumed"
    NEW = "new"


USUAL = (QueueKind.RESUMED, QueueKind.NEW)
"""The queues that a worker serves, in their order."""


class Queued(NamedTuple):
    """A queued run: since when (for a run that is taken up again, when it was created), and which."""

    at: int
    id: str


@dataclass(frozen=True)
class Waiter:
    """Somebody whose runs wait in a queue."""

    requester: str
    #: When they had their last turn, or came.
    turn: int
    #: Oldest first.
    runs: tuple[Queued, ...]


@dataclass(frozen=True)
class CrewQueue:
    """Queued runs of one crew."""

    kind: QueueKind
    crew: str
    #: When the crew had its last turn, or came.
    turn: int
    waiters: tuple[Waiter, ...]

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.crew}"


class Pick(NamedTuple):
    """A run whose turn it is."""

    queue: CrewQueue
    requester: str
    run: Queued


def choose(queues: Iterable[CrewQueue], room: int, kinds: Iterable[QueueKind] = USUAL) -> list[Pick]:
    """The `room` runs whose turn is next, in their order."""
    known = tuple(queues)
    order = (pick for kind in kinds for pick in _crews([queue for queue in known if queue.kind is kind]))
    return list(islice(order, room))


def _crews(queues: list[CrewQueue]) -> Iterator[Pick]:
    """All runs of some queues: the crews take turns."""
    # A turn that is taken here is later than all of before.
    later = count()
    waiting = [((0, queue.turn), queue.crew, _requesters(queue)) for queue in queues]
    heapq.heapify(waiting)
    while waiting:
        _, crew, picks = waiting[0]
        pick = next(picks, None)
        if pick is None:
            heapq.heappop(waiting)
        else:
            yield pick
            heapq.heapreplace(waiting, ((1, next(later)), crew, picks))


def _requesters(queue: CrewQueue) -> Iterator[Pick]:
    """All runs of a queue: the requesters take turns."""
    later = count()
    waiting = [
        ((0, each.turn), each.runs[0], each.requester, iter(each.runs)) for each in queue.waiters if each.runs
    ]
    heapq.heapify(waiting)
    while waiting:
        _, first, requester, runs = waiting[0]
        run = next(runs, None)
        if run is None:
            heapq.heappop(waiting)
        else:
            yield Pick(queue, requester, run)
            heapq.heapreplace(waiting, ((1, next(later)), first, requester, runs))
