"""Whether Redis answers, outages in the log, and the totals of all shards."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from redis.asyncio import Redis

from bot.core.errors import StoreUnavailable, UnreadableRecord
from bot.core.ports.lists import Totals
from bot.store import redis_keys
from bot.store.codec import ms
from bot.store.connection import Connection
from bot.store.redis_client.servers import execute
from bot.store.write_concern import REPLICATION, online_replicas

log = structlog.get_logger(__name__)

WORKER_ALIVE_S = 60
"""A worker counts as alive for this time after it was last seen."""
_COMMANDS_PER_SHARD = 6
"""Commands that `totals` sends to each shard."""


class RedisHealth:
    """The port `bot.core.ports.store.Health`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ping(self) -> None:
        await self._connection.do(self._connection.redis.ping())

    def unreadable(self) -> Mapping[str, int]:
        return self._connection.unreadable.counts

    def report_unreadable(self, kind: str, name: str, why: str) -> None:
        self._connection.unreadable.report(UnreadableRecord(kind, name, why))

    async def totals(self) -> Totals:
        alive = await self._connection.now() - ms(WORKER_ALIVE_S)
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                base, waiting = redis_keys.base(shard), redis_keys.open_questions(shard)
                batch.hgetall(f"{base}:counts")
                batch.hgetall(f"{base}:answers")
                batch.hgetall(f"{base}:waited")
                batch.zcard(waiting)
                batch.zrange(waiting, 0, 0, withscores=True)
                batch.hgetall(redis_keys.queue_lengths(shard))
            batch.zrange(redis_keys.WORKERS, alive, "+inf", byscore=True, withscores=True)
        *shards, workers = batch.results
        waited = _summed(shards[2::_COMMANDS_PER_SHARD])
        oldest = [int(found[0][1]) for found in shards[4::_COMMANDS_PER_SHARD] if found]
        return Totals(
            queued=_whole(_summed(shards[5::_COMMANDS_PER_SHARD])),
            runs=_whole(_summed(shards[0::_COMMANDS_PER_SHARD])),
            answers=_whole(_summed(shards[1::_COMMANDS_PER_SHARD])),
            answer_seconds_sum=waited.pop("sum", 0.0),
            answer_seconds=_whole(waited),
            questions_open=sum(shards[3::_COMMANDS_PER_SHARD]),
            oldest_question_at=min(oldest, default=None),
            workers={name: int(seen) for name, seen in workers},
            replicas=min(await self._connection.on_every_primary(_replicas)),
        )


async def _replicas(primary: Redis) -> int:
    return online_replicas(await execute(primary, REPLICATION))


def _summed(hashes: list[dict[str, str]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in hashes:
        for name, count in each.items():
            total[name] = total.get(name, 0.0) + float(count)
    return total


def _whole(counts: dict[str, float]) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items()}


class Outage:
    """Logs the beginning and the end of an outage, once each."""

    def __init__(self) -> None:
        self._away = False

    def began(self, error: StoreUnavailable) -> None:
        if not self._away:
            log.error("Redis is away; waiting for it", reason=str(error))
        self._away = True

    def ended(self) -> None:
        if self._away:
            log.info("Redis is back")
        self._away = False
