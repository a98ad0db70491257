"""What queued runs are waiting for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bot.core.ports.store import Catalogue
from bot.core.runs.crew import problem_of
from bot.core.runs.fair_queue import QueueKind
from bot.core.runs.run import Run, RunStatus
from bot.core.runs.waiting import QueuedRunState, Wait, wait_of
from bot.store import redis_keys
from bot.store.connection import Connection, Reply
from bot.store.workers import live_workers


class _QueueState(NamedTuple):
    """Where a queued run is, and what holds it up."""

    queue: str | None
    retry_at: float | None
    paused: str | None
    crashes: str | None


class _WaitingRequester(NamedTuple):
    """A requester in a queue: the time of the last turn, and the number of runs."""

    turn: int
    runs: int


class Waits:
    """What queued runs are waiting for."""

    def __init__(self, connection: Connection, catalogue: Catalogue) -> None:
        self._connection = connection
        self._catalogue = catalogue

    async def of(self, runs: Sequence[Run]) -> dict[str, Wait]:
        queued = [run for run in runs if run.status is RunStatus.QUEUED]
        if not queued:
            return {}
        crews = sorted({run.crew.name for run in queued})
        now = await self._connection.now()
        announcements, working, states = await asyncio.gather(
            live_workers(self._connection, now), self._working(crews, now), self._queue_states(queued)
        )
        ahead = await self._ahead(queued, states)
        workers = {crew: sum(crew in each.crews for each in announcements.values()) for crew in crews}
        problems = () if all(workers.values()) else await self._catalogue.problems(starting=True)
        found: dict[str, Wait] = {}
        for run in queued:
            state, name = states[run.id], run.crew.name
            problem = problem_of(name, problems) if not workers[name] else None
            facts = QueuedRunState(
                paused=state.paused,
                retry_at=None if state.retry_at is None else int(state.retry_at),
                crashes=int(state.crashes or 0),
                workers=workers[name],
                problem=problem.sentence if problem is not None else "",
                limit=max(
                    (most for each in announcements.values() if (most := each.crews.get(name)) is not None),
                    default=None,
                ),
                working=working[name],
                isolated=state.queue is not None and state.queue.startswith(f"{QueueKind.ISOLATED}:"),
                ahead=ahead.get(run.id, 0),
            )
            if (wait := wait_of(run, facts)) is not None:
                found[run.id] = wait
        return found

    async def _working(self, crews: Sequence[str], now: int) -> dict[str, int]:
        async with self._connection.pipeline() as batch:
            for crew in crews:
                batch.hgetall(redis_keys.slots(crew))
        readable = self._connection.unreadable.readable
        return {
            crew: sum(until > now for _, until in readable("working place", places.items(), _until))
            for crew, places in zip(crews, batch.results, strict=True)
        }

    async def _queue_states(self, runs: Sequence[Run]) -> dict[str, _QueueState]:
        async with self._connection.pipeline() as batch:
            for run in runs:
                shard = redis_keys.shard_of(run.id)
                batch.hget(redis_keys.run(run.id), "queue")
                batch.zscore(redis_keys.delayed(shard), run.id)
                batch.hget(redis_keys.paused(shard), run.place.tenant if run.place else "")
                batch.hget(redis_keys.run(run.id), "crash_count")
        each = len(_QueueState._fields)
        return {run.id: _QueueState(*batch.results[n * each : (n + 1) * each]) for n, run in enumerate(runs)}

    async def _ahead(self, runs: Sequence[Run], states: Mapping[str, _QueueState]) -> dict[str, int]:
        """The number of runs of its crew ahead of each of these, by the current turns."""
        in_queue = [(run, queue) for run in runs if (queue := states[run.id].queue) is not None]
        if not in_queue:
            return {}
        again = {run.crew.name: f"{QueueKind.RESUMED}:{run.crew.name}" for run, _ in in_queue}
        crowds, own = await asyncio.gather(
            self._waiting_requesters({*(queue for _, queue in in_queue), *again.values()}),
            self._own_before(in_queue),
        )
        found: dict[str, int] = {}
        for run, queue in in_queue:
            found[run.id] = _before(crowds[queue], run.requester.principal, own[run.id])
            if queue.startswith(f"{QueueKind.NEW}:"):
                found[run.id] += sum(crowd.runs for crowd in crowds[again[run.crew.name]].values())
        return found

    async def _waiting_requesters(self, queues: Iterable[str]) -> dict[str, dict[str, _WaitingRequester]]:
        """By queue and requester, over all shards."""
        names = sorted(queues)
        merged: dict[str, dict[str, _WaitingRequester]] = {name: {} for name in names}
        shards = (self._connection.run("read_queues", shard, *names) for shard in range(redis_keys.SHARDS))
        for shard in await asyncio.gather(*shards):
            for name, found in zip(names, shard, strict=True):
                _add(merged[name], found)
        return merged

    async def _own_before(self, in_queue: Sequence[tuple[Run, str]]) -> dict[str, int]:
        """The number of runs of the same requester ahead of each of these."""
        async with self._connection.pipeline() as batch:
            for run, queue in in_queue:
                own = redis_keys.queue_of(redis_keys.shard_of(run.id), queue, run.requester.principal)
                batch.zscore(own, run.id)
        since = [at or 0 for at in batch.results]
        async with self._connection.pipeline() as batch:
            for (run, queue), at in zip(in_queue, since, strict=True):
                for shard in range(redis_keys.SHARDS):
                    own = redis_keys.queue_of(shard, queue, run.requester.principal)
                    batch.zcount(own, "-inf", f"({at:.0f}")
        shards = redis_keys.SHARDS
        return {
            run.id: sum(batch.results[n * shards : (n + 1) * shards]) for n, (run, _) in enumerate(in_queue)
        }


def _until(stored: str) -> int:
    return int(stored.partition(" ")[0])


def _add(crowds: dict[str, _WaitingRequester], found: Sequence[Reply]) -> None:
    for requester, turn, runs in zip(found[0::3], found[1::3], found[2::3], strict=True):
        known = crowds.get(requester, _WaitingRequester(int(turn), 0))
        crowds[requester] = _WaitingRequester(min(known.turn, int(turn)), known.runs + runs)


def _before(crowds: Mapping[str, _WaitingRequester], requester: str, own: int) -> int:
    """How many runs go before one with `own` of its requester's before it: one of everybody in each round."""
    me = crowds.get(requester, _WaitingRequester(0, 0))
    others = ((who, crowd) for who, crowd in crowds.items() if who != requester)
    return own + sum(min(each.runs, own + ((each.turn, who) < (me.turn, requester))) for who, each in others)
