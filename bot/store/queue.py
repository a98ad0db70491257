"""What workers do with runs: claim, renew, park, finish. The epoch of a claim fences off earlier workers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bot.core.events.event import Body, RunCompleted, RunFailed
from bot.core.ports.journal import Change
from bot.core.ports.queue import Fenced
from bot.core.runs.fair_queue import DEFAULT_QUEUES, QueueKind
from bot.core.runs.run import Claim, RunError, RunStatus
from bot.core.runs.waiting import WorkerAnnouncement
from bot.core.text import valid
from bot.store import redis_keys
from bot.store.claims import Claiming, ConcurrencySlots
from bot.store.codec import dump, ms, new_call
from bot.store.connection import Connection
from bot.store.crew_queues import CrewQueues
from bot.store.journal import words_of
from bot.store.journal_cipher import JournalCipher
from bot.store.run_reader import RunReader
from bot.store.workers import live_workers

WORKER_TTL_S = 24 * 3600
"""After this time a worker that was not seen is no longer listed."""
SUSPECTED_DELAY_S = 5.0
"""Delay before a run that crashed two workers is queued again."""
UNREADABLE_DELAY_S = 60.0
"""Delay before an unreadable run is queued again, for a worker of another release."""
MAX_SUSPECTED = 8
"""Suspected runs that one call returns."""


class RedisQueue:
    """The port `bot.core.ports.queue.Queue`."""

    shards = redis_keys.SHARDS

    def __init__(
        self, connection: Connection, cipher: JournalCipher, retry_after: float = SUSPECTED_DELAY_S
    ) -> None:
        self._connection = connection
        self._cipher = cipher
        self._retry_after = retry_after
        self._runs = RunReader(connection)
        #: By worker: the call whose reply was lost. The next claim repeats it to find the runs that it took.
        self._unanswered: dict[str, str] = {}

    async def claim(
        self,
        worker: str,
        crews: Sequence[str],
        limit: int,
        lease: float,
        *,
        most: Mapping[str, int] | None = None,
        isolated: bool = False,
    ) -> list[Claim]:
        unanswered = self._unanswered.pop(worker, None)
        call = unanswered or new_call()
        claiming = Claiming(self._connection, (worker, call, lease), most or {})
        try:
            if unanswered:
                await claiming.recover()
            held = await claiming.take(crews, limit, (QueueKind.ISOLATED,) if isolated else DEFAULT_QUEUES)
            found = [(self._runs.readable(each.run_id, each.stored), each) for each in held]
            await self._defer_unreadable(each.run_id for run, each in found if run is None)
        except BaseException:
            self._unanswered[worker] = call
            raise
        return [
            Claim(run=run, worker=worker, epoch=run.epoch, begun=each.begun)
            for run, each in found
            if run is not None
        ]

    async def _defer_unreadable(self, run_ids: Iterable[str]) -> None:
        """Defer runs that this release can't read; a deferred run is not counted as crashed."""
        for run_id in run_ids:
            shard, key = redis_keys.shard_of(run_id), redis_keys.run(run_id)
            if epoch := await self._connection.do(self._connection.redis.hget(key, "epoch")):
                await self._connection.run("defer", shard, run_id, epoch, ms(UNREADABLE_DELAY_S))

    async def suspected(self, crews: Sequence[str]) -> list[str]:
        return await CrewQueues(self._connection).suspected(crews, MAX_SUSPECTED)

    async def acquire_slots(
        self, worker: str, crew: str, run_ids: Sequence[str], most: int | None, lease: float
    ) -> set[str]:
        return await ConcurrencySlots(self._connection, worker, lease).acquire(crew, run_ids, most)

    async def release_slots(self, worker: str, crew: str, run_ids: Sequence[str]) -> None:
        await ConcurrencySlots(self._connection, worker).release(crew, run_ids)

    async def register_worker(
        self, worker: str, crews: Mapping[str, int | None], lease: float, room: int = 0
    ) -> None:
        announced = WorkerAnnouncement(crews=dict(crews), lease=lease, room=room)
        await self._connection.run_unsharded(
            "register_worker", redis_keys.WORKER_CREWS, worker, dump(announced), ms(WORKER_TTL_S)
        )

    async def other_workers(self, worker: str) -> list[WorkerAnnouncement]:
        workers = await live_workers(self._connection, await self._connection.now())
        return [each for name, each in workers.items() if name != worker]

    async def heartbeat(
        self, worker: str, claims: Iterable[Claim], lease: float, worked: Mapping[str, int] | None = None
    ) -> set[str]:
        by_shard: defaultdict[int, list[str | int]] = defaultdict(list)
        for claim in claims:
            by_shard[redis_keys.shard_of(claim.run.id)] += [
                claim.run.id,
                claim.epoch,
                (worked or {}).get(claim.run.id, 0),
            ]
        lost: set[str] = set()
        for shard, held in by_shard.items():
            lost.update(await self._connection.run("heartbeat", shard, ms(lease), *held))
        await self._seen(worker)
        return lost

    async def finish(
        self,
        claim: Claim,
        *,
        result: str | None = None,
        error: RunError | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        result = valid(result or "")
        body: Body = RunFailed(error=error) if error else RunCompleted(result=result)
        ended = await self._connection.run(
            "finish",
            redis_keys.shard_of(claim.run.id),
            claim.run.id,
            claim.epoch,
            RunStatus.FAILED if error else RunStatus.COMPLETED,
            "error" if error else "result",
            dump(error) if error else result,
            dump(body),
            *words_of(claim, changes, self._cipher),
        )
        if not ended:
            raise Fenced

    async def park(self, claim: Claim, questions: Sequence[str], worked: int = 0) -> bool:
        parked = await self._connection.run(
            "park", redis_keys.shard_of(claim.run.id), claim.run.id, claim.epoch, worked, *questions
        )
        if parked == -1:
            raise Fenced
        return bool(parked)

    async def release(self, claim: Claim, worked: int = 0) -> None:
        shard = redis_keys.shard_of(claim.run.id)
        if await self._connection.run("release", shard, claim.run.id, claim.epoch, worked) == -1:
            raise Fenced

    async def defer(self, claim: Claim, seconds: float) -> None:
        shard = redis_keys.shard_of(claim.run.id)
        if await self._connection.run("defer", shard, claim.run.id, claim.epoch, ms(seconds)) == -1:
            raise Fenced

    async def abandon(self, worker: str, crash_error: RunError) -> list[str]:
        lost = await self._connection.each_shard(
            "abandon", worker, dump(crash_error), dump(RunFailed(error=crash_error)), ms(self._retry_after)
        )
        await self._connection.do(self._connection.redis.zrem(redis_keys.WORKERS, worker))
        await self._connection.do(self._connection.redis.hdel(redis_keys.WORKER_CREWS, worker))
        return [run_id for each in lost for run_id in each]

    async def _seen(self, worker: str) -> None:
        await self._connection.run_unsharded("worker_seen", redis_keys.WORKERS, worker, ms(WORKER_TTL_S))
