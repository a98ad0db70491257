"""The queues of crews, read across all shards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from bot.core.errors import StoreUnavailable
from bot.core.runs.fair_queue import ChosenRun, CrewQueue, Queued, QueueKind, WaitingRequester, choose
from bot.store import redis_keys
from bot.store.connection import Connection

Turns = dict[str, int]
"""The time of the last turn, by requester or by queue."""


class CrewQueues:
    """Reads as much of the queues as the next claim needs, with a constant number of commands."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        #: Whether more than one requester or queue was found, so that turns must be recorded.
        self._contested = False
        #: Whether the last call of `next` returned all that waited then.
        self.exhausted = False

    async def next(
        self, crews: Collection[str], room: int, kinds: Sequence[QueueKind], tried: Collection[str] = ()
    ) -> list[ChosenRun]:
        """The next `room` runs of these crews, without those in `tried`."""
        self.exhausted = False
        turns = await self.queues(crews)
        served = {name: turn for name, turn in turns.items() if _parsed(name)[0] in kinds}
        if not served:
            return []
        fronts = await self._next_requesters(served, max(room, 2))
        self._contested = len(turns) > 1 or any(len(front) > 1 for front in fronts.values())
        nobody = (Queued(0, ""),)
        # Each requester may have only one run, so `room` requesters of each queue are needed.
        candidates = choose(
            [
                CrewQueue(
                    *_parsed(name),
                    turn,
                    tuple(WaitingRequester(who, at, nobody) for who, at in fronts[name].items()),
                )
                for name, turn in served.items()
            ],
            room,
            kinds,
        )
        picks = choose(await self._with_runs(candidates, fronts, room, tried), room, kinds)
        # With fewer requesters than `room`, these are all who wait.
        self.exhausted = len(candidates) < room and len(picks) < room
        return picks

    async def suspected(self, crews: Collection[str], limit: int) -> list[str]:
        """The next isolated runs of these crews."""
        return [pick.run.id for pick in await self.next(crews, limit, (QueueKind.ISOLATED,))]

    async def queues(self, crews: Collection[str]) -> Turns:
        """The non-empty queues of these crews by name, with the time of their last turn."""
        if not crews:
            return {}
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.zrange(redis_keys.queues(shard), 0, -1, withscores=True)
        merged = _earliest(batch.results)
        known = {f"{kind}:{crew}" for kind in QueueKind for crew in crews}
        return {name: turn for name, turn in merged.items() if name in known}

    async def record_turns(self, picks: Iterable[ChosenRun], at: int) -> None:
        """Record these turns in all shards, since the runs of a requester are spread over them."""
        served: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for pick in picks:
            served[pick.queue.name][pick.requester] = at
        if not served or not self._contested:
            return
        # A full Redis refuses this: a requester then gets an extra turn, and the claims stay valid.
        with suppress(StoreUnavailable):
            async with self._connection.pipeline() as batch:
                for shard in range(redis_keys.SHARDS):
                    batch.zadd(redis_keys.queues(shard), dict.fromkeys(served, at), xx=True, gt=True)
                    for name, requesters in served.items():
                        batch.zadd(redis_keys.queue(shard, name), requesters, xx=True, gt=True)

    async def _next_requesters(self, names: Mapping[str, int], room: int) -> dict[str, Turns]:
        """By queue: the next `room` requesters."""
        async with self._connection.pipeline() as batch:
            for name in names:
                for shard in range(redis_keys.SHARDS):
                    batch.zrange(redis_keys.queue(shard, name), 0, room - 1, withscores=True)
        return {
            name: _earliest(batch.results[n * redis_keys.SHARDS : (n + 1) * redis_keys.SHARDS])
            for n, name in enumerate(names)
        }

    async def _with_runs(
        self, candidates: list[ChosenRun], fronts: dict[str, Turns], room: int, tried: Collection[str]
    ) -> list[CrewQueue]:
        """The queues of these candidates, with their oldest runs of all shards."""
        most = room + len(tried)
        async with self._connection.pipeline() as batch:
            for pick in candidates:
                for shard in range(redis_keys.SHARDS):
                    own = redis_keys.queue_of(shard, pick.queue.name, pick.requester)
                    batch.zrange(own, 0, most - 1, withscores=True)
        waiters: defaultdict[CrewQueue, list[WaitingRequester]] = defaultdict(list)
        for n, pick in enumerate(candidates):
            found = [
                each
                for held in batch.results[n * redis_keys.SHARDS : (n + 1) * redis_keys.SHARDS]
                for each in held
            ]
            runs = sorted(Queued(int(at), run_id) for run_id, at in found if run_id not in tried)
            turn = fronts[pick.queue.name][pick.requester]
            waiters[pick.queue].append(WaitingRequester(pick.requester, turn, tuple(runs)))
        return [CrewQueue(queue.kind, queue.crew, queue.turn, tuple(of)) for queue, of in waiters.items()]


def _earliest(shards: Iterable[Iterable[tuple[str, float]]]) -> Turns:
    """Merge the shards: a name that several contain gets its earliest turn."""
    merged: Turns = {}
    for found in shards:
        for name, turn in found:
            merged[name] = min(merged.get(name, int(turn)), int(turn))
    return merged


def _parsed(name: str) -> tuple[QueueKind, str]:
    kind, _, crew = name.partition(":")
    return QueueKind(kind), crew
