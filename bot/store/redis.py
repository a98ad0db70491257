"""The store: all verbs of the port on one Redis connection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bot.core import events
from bot.core.model import Crew, RunError, Totals
from bot.store import keys
from bot.store.connection import Connection, connect
from bot.store.deliveries import DeliveryVerbs
from bot.store.feed import EventVerbs
from bot.store.questions import QuestionVerbs
from bot.store.runs import RunVerbs, dump
from bot.store.work import WorkVerbs, ms

DAY = 24 * 3600
ANNOUNCED = 7 * DAY
"""Seconds after which crews are forgotten whose worker never came back."""
SEEN = 60
"""Seconds within which a worker must have been seen to count as alive."""
RETENTION = 30 * DAY
"""Seconds after which a run that is over is forgotten, unless the settings say otherwise."""
BATCH = 100
"""Timers, leases and old runs that one tick handles in each shard."""


class RedisStore(RunVerbs, QuestionVerbs, EventVerbs, WorkVerbs, DeliveryVerbs):
    """The port `bot.core.ports.Store` on Redis or Valkey."""

    def __init__(self, connection: Connection, retention: float = RETENTION) -> None:
        RunVerbs.__init__(self, connection)
        WorkVerbs.__init__(self, connection)
        self._connection = connection
        self._retention = retention

    # ── catalogue ───────────────────────────────────────────────────────────────────────────────────────

    async def announce(self, source: str, crews: Sequence[Crew]) -> None:
        document = {"at": await self.now(), "crews": [crew.model_dump(mode="json") for crew in crews]}
        await self._connection.do(
            self._connection.redis.hset(keys.CREWS, source, json.dumps(document))
        )

    async def crews(self) -> dict[str, Crew]:
        stored = await self._connection.do(self._connection.redis.hgetall(keys.CREWS))
        oldest = await self.now() - ms(ANNOUNCED)
        sources = sorted((json.loads(each) for each in stored.values()), key=lambda each: int(each["at"]))
        found = [crew for each in sources if each["at"] >= oldest for crew in each["crews"]]
        crews = {crew["name"]: Crew.model_validate(crew) for crew in found}
        return dict(sorted(crews.items()))

    # ── the clock ───────────────────────────────────────────────────────────────────────────────────────

    async def tick(self, lost: RunError) -> int:
        changed = await self._connection.each_shard(
            "tick", dump(lost), dump(events.RunFailed(error=lost)), ms(self._retention), BATCH
        )
        return sum(changed)

    async def now(self) -> int:
        seconds, micros = await self._connection.do(self._connection.redis.time())
        return int(seconds) * 1000 + int(micros) // 1000

    # ── memory ──────────────────────────────────────────────────────────────────────────────────────────

    async def once(self, key: str, ttl: float = 7 * DAY) -> bool:
        name = keys.memory(f"once:{key}")
        return bool(await self._connection.do(self._connection.redis.set(name, 1, nx=True, px=ms(ttl))))

    async def remember(self, key: str, value: str, ttl: float) -> None:
        await self._connection.do(self._connection.redis.set(keys.memory(key), value, px=ms(ttl)))

    async def recall(self, key: str) -> str | None:
        value: str | None = await self._connection.do(self._connection.redis.get(keys.memory(key)))
        return value

    # ── health ──────────────────────────────────────────────────────────────────────────────────────────

    async def ping(self) -> None:
        await self._connection.do(self._connection.redis.ping())

    async def totals(self) -> Totals:
        async with self._connection.pipeline() as batch:
            for shard in range(keys.SHARDS):
                base = keys.base(shard)
                batch.hgetall(f"{base}:counts")
                batch.hgetall(f"{base}:answers")
                batch.hgetall(f"{base}:waited")
                batch.zcard(f"{base}:open")
                batch.zrange(f"{base}:open", 0, 0, withscores=True)
            batch.zrange(keys.WORKERS, await self.now() - ms(SEEN), "+inf", byscore=True, withscores=True)
        *shards, workers = batch.results
        waited = _summed(shards[2::5])
        oldest = [int(found[0][1]) for found in shards[4::5] if found]
        return Totals(
            runs={name: int(count) for name, count in _summed(shards[0::5]).items()},
            answers={name: int(count) for name, count in _summed(shards[1::5]).items()},
            answer_seconds_sum=waited.pop("sum", 0.0),
            answer_seconds={bound: int(count) for bound, count in waited.items()},
            questions_open=sum(shards[3::5]),
            oldest_question_at=min(oldest, default=None),
            workers={name: int(seen) for name, seen in workers},
        )


def _summed(hashes: list[dict[str, str]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in hashes:
        for name, count in each.items():
            total[name] = total.get(name, 0.0) + float(count)
    return total


@asynccontextmanager
async def open_store(url: str, retention: float = RETENTION) -> AsyncIterator[RedisStore]:
    """The store at `url`, connected and checked, closed when the block ends."""
    connection = await connect(url)
    try:
        yield RedisStore(connection, retention)
    finally:
        await connection.close()
