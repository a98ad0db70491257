"""Webhook endpoints: events to be delivered, and events that were given up.

Beside what it has been shown, a run keeps for each follower the events to be sent again and those that were
given up; each shard lists the runs that fail now and the events that were given up.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.core import ids
from bot.core.errors import NotFound
from bot.core.ports.webhooks import DeadLetter, Disabled, EndpointState, FailingDelivery
from bot.core.runs.run import Run
from bot.store import redis_keys
from bot.store.codec import dump, ms
from bot.store.connection import Connection
from bot.store.run_reader import RunReader


class RedisWebhooks:
    """The port `bot.core.ports.webhooks.Webhooks`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def follow(self, surfaces: Sequence[str]) -> None:
        await self._connection.each_shard("set_followers", *surfaces)

    async def following(self) -> list[str]:
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.smembers(redis_keys.followers(shard))
        return sorted({surface for found in batch.results for surface in found})

    async def state(self, surface: str, run_id: str) -> EndpointState:
        shown = redis_keys.shown(run_id, surface)
        async with self._connection.pipeline() as batch:
            batch.hmget(shown, ["cursor", "tries", "gone"])
            batch.zrange(f"{shown}:resend", 0, -1, withscores=True)
        (cursor, tries, gone), again = batch.results
        return EndpointState(
            cursor=int(cursor or 0),
            again={int(seq): int(at) for seq, at in again},
            tries=int(tries or 0),
            gone=gone is not None,
        )

    async def ack_event(
        self, surface: str, owner: str, run_id: str, seq: int, *, failure: str = "", gone: bool = False
    ) -> bool:
        words = (surface, owner, run_id, seq, failure, "1" if gone else "")
        return bool(await self._connection.run("ack_event", redis_keys.shard_of(run_id), *words))

    async def nack_event(
        self, surface: str, owner: str, run_id: str, *, tries: int, why: str, seconds: float
    ) -> bool:
        words = (surface, owner, run_id, tries, why, ms(seconds))
        return bool(await self._connection.run("nack_event", redis_keys.shard_of(run_id), *words))

    async def disable(self, surface: str, why: str, fingerprint: str) -> None:
        disabled = Disabled(at=await self._connection.now(), why=why, fingerprint=fingerprint)
        redis = self._connection.redis
        await self._connection.do(redis.hset(redis_keys.DISABLED_WEBHOOKS, surface, dump(disabled)))

    async def enable(self, surface: str) -> None:
        await self._connection.do(self._connection.redis.hdel(redis_keys.DISABLED_WEBHOOKS, surface))

    async def disabled(self) -> dict[str, Disabled]:
        stored = await self._connection.do(self._connection.redis.hgetall(redis_keys.DISABLED_WEBHOOKS))
        readable = self._connection.unreadable.readable
        return dict(readable("disabled endpoint", stored.items(), Disabled.model_validate_json))

    async def resend(self, surface: str, run_id: str, seqs: Sequence[int]) -> int:
        return int(await self._connection.run("resend", redis_keys.shard_of(run_id), surface, run_id, *seqs))

    async def failing(self, surface: str) -> list[FailingDelivery]:
        found = await self._listed("failing", surface)
        async with self._connection.pipeline() as batch:
            for run_id, _ in found:
                batch.hmget(redis_keys.shown(run_id, surface), ["tries", "why"])
        return [
            FailingDelivery(run_id=run_id, since=since, tries=int(tries or 0), why=why or "")
            for (run_id, since), (tries, why) in zip(found, batch.results, strict=True)
        ]

    async def dead_letters(self, surface: str) -> list[DeadLetter]:
        listed = await self._listed("failed", surface)
        found = [(*name.partition("/")[::2], at) for name, at in listed]
        async with self._connection.pipeline() as batch:
            for run_id, seq, _ in found:
                batch.hget(redis_keys.shown(run_id, surface), f"failed:{seq}")
        return [
            DeadLetter(run_id=run_id, seq=int(seq), at=at, why=why or "")
            for (run_id, seq, at), why in zip(found, batch.results, strict=True)
            if seq.isascii() and seq.isdigit()
        ]

    async def find_event(self, event_id: str) -> tuple[Run, int]:
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.zrange(redis_keys.ids(shard), 0, -1)
        for run_id in (each for found in batch.results for each in found):
            if seq := ids.event_seq(run_id, event_id):
                for run in await RunReader(self._connection).read([run_id]):
                    return run, seq
        raise NotFound("event", event_id)

    async def _listed(self, kind: str, surface: str) -> list[tuple[str, int]]:
        """The members of a list of all shards with their times, oldest first."""
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.zrange(redis_keys.webhook_failures(shard, kind, surface), 0, -1, withscores=True)
        merged = [(int(at), name) for found in batch.results for name, at in found]
        return [(name, at) for at, name in sorted(merged)]
