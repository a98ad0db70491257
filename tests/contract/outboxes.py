"""Delivery in tests, seen from behind the store."""

from __future__ import annotations

from bot.core.ports import Store
from bot.store import redis_keys
from bot.store.redis import RedisStore


async def make_due(store: Store, surface: str, run_id: str) -> None:
    """End a run's postponement, whoever delivers it."""
    assert isinstance(store, RedisStore)
    outbox = f"{redis_keys.base(redis_keys.shard_of(run_id))}:outbox:{surface}"
    await store.connection.do(store.connection.redis.zadd(outbox, {run_id: 0}, xx=True))
