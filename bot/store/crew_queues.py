"""The lines in which runs wait, read across all shards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from bot.core.errors import StoreUnavailable
from bot.core.turns import CrewQueue, Pick, Queued, QueueKind, Waiter, choose
from bot.store import redis_keys
from bot.store.connection import Connection

Turns = dict[str, int]
"""By requester, or by line: when they had their last turn."""


class CrewQueues:
    """What waits, as far as it matters for the next claim. A few commands, however much waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        #: Whether anybody but those who had a turn could be waiting for one.
        self._contested = False

    async def next(
        self, crews: Collection[str], room: int, kinds: Sequence[QueueKind], tried: Collection[str] = ()
    ) -> list[Pick]:
        """The `room` runs of these crews whose turn is next, without those that were tried in vain."""
        turns = await self.lines(crews)
        served = {name: turn for name, turn in turns.items() if _parsed(name)[0] in kinds}
        if not served:
            return []
        fronts = await self._fronts(served, max(room, 2))
        self._contested = len(turns) > 1 or any(len(front) > 1 for front in fronts.values())
        nobody = (Queued(0, ""),)
        # With one run each, as many requesters are needed of each line as can be.
        candidates = choose(
            [
                CrewQueue(
                    *_parsed(name), turn, tuple(Waiter(who, at, nobody) for who, at in fronts[name].items())
                )
                for name, turn in served.items()
            ],
            room,
            kinds,
        )
        return choose(await self._with_runs(candidates, fronts, room, tried), room, kinds)

    async def suspected(self, crews: Collection[str], limit: int) -> list[str]:
        """Runs of these crews that are to be alone, those whose turn is next first."""
        return [pick.run.id for pick in await self.next(crews, limit, (QueueKind.ISOLATED,))]

    async def lines(self, crews: Collection[str]) -> Turns:
        """The lines of these crews in which something waits, by name, and when each had its last turn."""
        if not crews:
            return {}
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.zrange(redis_keys.queues(shard), 0, -1, withscores=True)
        merged = _earliest(batch.results)
        known = {f"{kind}:{crew}" for kind in QueueKind for crew in crews}
        return {name: turn for name, turn in merged.items() if name in known}

    async def took_turns(self, picks: Iterable[Pick], at: int) -> None:
        """Tell all shards who had a turn: their runs are spread over them."""
        served: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for pick in picks:
            served[pick.queue.name][pick.requester] = at
        if not served or not self._contested:
            return
        # A full Redis refuses this. Then somebody has a turn too many; what was claimed stays claimed.
        with suppress(StoreUnavailable):
            async with self._connection.pipeline() as batch:
                for shard in range(redis_keys.SHARDS):
                    batch.zadd(redis_keys.queues(shard), dict.fromkeys(served, at), xx=True, gt=True)
                    for name, requesters in served.items():
                        batch.zadd(redis_keys.queue(shard, name), requesters, xx=True, gt=True)

    async def _fronts(self, names: Mapping[str, int], room: int) -> dict[str, Turns]:
        """By line: the `room` requesters whose turn is next."""
        async with self._connection.pipeline() as batch:
            for name in names:
                for shard in range(redis_keys.SHARDS):
                    batch.zrange(redis_keys.queue(shard, name), 0, room - 1, withscores=True)
        return {
            name: _earliest(batch.results[n * redis_keys.SHARDS : (n + 1) * redis_keys.SHARDS])
            for n, name in enumerate(names)
        }

    async def _with_runs(
        self, candidates: list[Pick], fronts: dict[str, Turns], room: int, tried: Collection[str]
    ) -> list[CrewQueue]:
        """The lines of these candidates, each with their oldest runs of all shards."""
        most = room + len(tried)
        async with self._connection.pipeline() as batch:
            for pick in candidates:
                for shard in range(redis_keys.SHARDS):
                    own = redis_keys.queue_of(shard, pick.queue.name, pick.requester)
                    batch.zrange(own, 0, most - 1, withscores=True)
        waiters: defaultdict[CrewQueue, list[Waiter]] = defaultdict(list)
        for n, pick in enumerate(candidates):
            found = [
                each
                for held in batch.results[n * redis_keys.SHARDS : (n + 1) * redis_keys.SHARDS]
                for each in held
            ]
            runs = sorted(Queued(int(at), run_id) for run_id, at in found if run_id not in tried)
            turn = fronts[pick.queue.name][pick.requester]
            waiters[pick.queue].append(Waiter(pick.requester, turn, tuple(runs)))
        return [CrewQueue(line.kind, line.crew, line.turn, tuple(of)) for line, of in waiters.items()]


def _earliest(shards: Iterable[Iterable[tuple[str, float]]]) -> Turns:
    """Merged: who waits in several shards has the place in line that is best."""
    merged: Turns = {}
    for found in shards:
        for name, turn in found:
            merged[name] = min(merged.get(name, int(turn)), int(turn))
    return merged


def _parsed(name: str) -> tuple[QueueKind, str]:
    kind, _, crew = name.partition(":")
    return QueueKind(kind), crew
