"""One claim of a worker, across all shards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from bot.core.runs.fair_queue import ChosenRun, QueueKind
from bot.store import redis_keys
from bot.store.codec import RUN_FIELDS, ms
from bot.store.connection import Connection
from bot.store.crew_queues import CrewQueues


class ConcurrencySlots:
    """The concurrency slots of crews with a limit (docs/decisions/0006)."""

    def __init__(self, connection: Connection, worker: str, lease: float = 0) -> None:
        self._connection = connection
        self._worker = worker
        self._lease = lease

    async def acquire(self, crew: str, run_ids: Iterable[str], most: int | None) -> set[str]:
        """The ids of these runs that have a slot; `most=None` renews the slots that they have."""
        return await self._acquire(crew, run_ids, "" if most is None else str(most))

    async def take_over(self, crew: str, run_ids: Iterable[str]) -> None:
        """This worker has claimed these runs: their slots are its own, whoever had them."""
        await self._acquire(crew, run_ids, "claimed")

    async def _acquire(self, crew: str, run_ids: Iterable[str], limit: str) -> set[str]:
        return set(
            await self._connection.run(
                "acquire_slots",
                redis_keys.shard_of(crew),
                crew,
                self._worker,
                ms(self._lease),
                limit,
                *run_ids,
            )
        )

    async def release(self, crew: str, run_ids: Iterable[str]) -> None:
        await self._connection.run("release_slots", redis_keys.shard_of(crew), crew, self._worker, *run_ids)


class HeldRun(NamedTuple):
    """A run that a claim holds."""

    run_id: str
    #: Its RUN_FIELDS.
    stored: Sequence[str | None]
    #: Whether steps or questions of it are recorded.
    begun: bool


class Claiming:
    """One claim. Repeating a `call` whose reply was lost finds the runs that it took."""

    def __init__(
        self,
        connection: Connection,
        how: tuple[str, str, float],
        most: Mapping[str, int],
    ) -> None:
        """`how`: worker, call, lease in seconds. `most`: concurrency limits by crew."""
        self._connection = connection
        self._queues = CrewQueues(connection)
        worker, call, lease = how
        self._slots = ConcurrencySlots(connection, worker, lease)
        self._how = (worker, call, ms(lease), len(RUN_FIELDS), *RUN_FIELDS)
        self._most = most
        #: By shard.
        self._holds: dict[int, list[HeldRun]] = {}

    async def recover(self) -> None:
        """Find the runs that this call has taken."""
        for shard in range(redis_keys.SHARDS):
            await self._claim_in_shard(shard, ())

    async def take(self, crews: Iterable[str], limit: int, kinds: Sequence[QueueKind]) -> list[HeldRun]:
        """Take runs in their order until this call holds `limit`, or nothing waits; returns all it holds.

        Ends because no run is tried twice: it is taken, set aside, or was taken by somebody else.
        """
        tried: set[str] = set()
        open_ = set(crews)
        while open_ and (room := limit - len(self._held())) > 0 and not self._queues.exhausted:
            picks = await self._queues.next(open_, room, kinds, tried)
            if not picks:
                break
            tried.update(pick.run.id for pick in picks)
            allowed, full = await self._allowed(picks)
            open_ -= full
            await self._claim(allowed)
        return self._held()

    async def _allowed(self, picks: Sequence[ChosenRun]) -> tuple[list[ChosenRun], set[str]]:
        """The picks that have a slot, and the crews that have reached their limits."""
        refused: set[str] = set()
        for crew, run_ids in _by_crew(pick for pick in picks if pick.queue.crew in self._most).items():
            refused |= set(run_ids) - await self._slots.acquire(crew, run_ids, self._most[crew])
        full = {pick.queue.crew for pick in picks if pick.run.id in refused}
        return [pick for pick in picks if pick.run.id not in refused], full

    async def _claim(self, picks: Sequence[ChosenRun]) -> None:
        by_shard: defaultdict[int, list[str]] = defaultdict(list)
        for pick in picks:
            by_shard[redis_keys.shard_of(pick.run.id)].append(pick.run.id)
        at = 0
        for shard, run_ids in by_shard.items():
            at = max(at, await self._claim_in_shard(shard, run_ids))
        held = {each.run_id for each in self._held()}
        await self._queues.record_turns([pick for pick in picks if pick.run.id in held], at)
        limited = [pick for pick in picks if pick.queue.crew in self._most]
        for crew, run_ids in _by_crew(pick for pick in limited if pick.run.id in held).items():
            await self._slots.take_over(crew, run_ids)
        for crew, run_ids in _by_crew(pick for pick in limited if pick.run.id not in held).items():
            await self._slots.release(crew, run_ids)

    async def _claim_in_shard(self, shard: int, run_ids: Collection[str]) -> int:
        # Durable: a failover that lost a claim would let two workers hold the same epoch.
        at, held, known = await self._connection.run_durably("claim", shard, *self._how, *run_ids)
        self._holds[shard] = [
            HeldRun(run_id, stored, begun=bool(begun))
            for run_id, (stored, begun) in zip(held, known, strict=True)
        ]
        return int(at)

    def _held(self) -> list[HeldRun]:
        return [each for held in self._holds.values() for each in held]


def _by_crew(picks: Iterable[ChosenRun]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for pick in picks:
        found[pick.queue.crew].append(pick.run.id)
    return found
