"""Fair scheduling of queued runs.

Resumed runs precede new ones. Crews are served round-robin, and so are the requesters within a crew, so that
one requester's backlog doesn't delay the others. The runs of one requester and crew are taken oldest first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, islice
from typing import NamedTuple


class QueueKind(StrEnum):
    """The kind of a queue; each crew has one queue per kind."""

    #: The run crashed two workers: only workers that hold no other run claim it.
    ISOLATED = "isolated"
    #: The run was claimed before: its question was answered, or its worker stopped or crashed.
    RESUMED = "resumed"
    NEW = "new"


DEFAULT_QUEUES = (QueueKind.RESUMED, QueueKind.NEW)
"""The queues that a worker serves by default, in order of priority."""


class Queued(NamedTuple):
    """A queued run, and the time that orders it: of its queueing; for a resumed run, of its creation."""

    at: int
    id: str


@dataclass(frozen=True)
class WaitingRequester:
    """A requester with runs in a queue."""

    requester: str
    #: When the requester was last served, or joined the queue.
    turn: int
    #: Oldest first.
    runs: tuple[Queued, ...]


@dataclass(frozen=True)
class CrewQueue:
    """The queued runs of one crew."""

    kind: QueueKind
    crew: str
    #: When the crew was last served, or joined the queue.
    turn: int
    waiters: tuple[WaitingRequester, ...]

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.crew}"


class ChosenRun(NamedTuple):
    """A run that was chosen, with its queue and requester."""

    queue: CrewQueue
    requester: str
    run: Queued


def choose(
    queues: Iterable[CrewQueue], room: int, kinds: Iterable[QueueKind] = DEFAULT_QUEUES
) -> list[ChosenRun]:
    """The next `room` runs to claim, in order."""
    known = tuple(queues)
    order = (pick for kind in kinds for pick in _crews([queue for queue in known if queue.kind is kind]))
    return list(islice(order, room))


def _crews(queues: list[CrewQueue]) -> Iterator[ChosenRun]:
    """All runs of some queues, alternating between crews."""
    # Crews served during this call rank behind all others.
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


def _requesters(queue: CrewQueue) -> Iterator[ChosenRun]:
    """All runs of a queue, alternating between requesters."""
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
            yield ChosenRun(queue, requester, run)
            heapq.heapreplace(waiting, ((1, next(later)), first, requester, runs))
