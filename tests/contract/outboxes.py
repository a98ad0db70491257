"""Delivery in tests, seen from behind the store."""

from __future__ import annotations

from bot.core.ports.store import Store
from bot.core.runs.place import Place
from bot.store import redis_keys
from bot.store.redis import RedisStore
from tests.contract.examples import LEASE


async def make_due(store: Store, surface: str, run_id: str) -> None:
    """End a run's postponement, whoever delivers it."""
    assert isinstance(store, RedisStore)
    outbox = f"{redis_keys.base(redis_keys.shard_of(run_id))}:outbox:{surface}"
    await store.connection.do(store.connection.redis.zadd(outbox, {run_id: 0}, xx=True))


async def open_thread(store: Store, run_id: str, place: Place) -> None:
    """Record that a run's thread was opened, as a process does that delivers."""
    outbox, shard = store.outbox, store.outbox.shard_of(run_id)
    assert await outbox.lease_shard(place.surface, shard, "opener", LEASE)
    assert await outbox.mark_delivered(place.surface, "opener", run_id, 1, place=place)
    await outbox.release_shard(place.surface, shard, "opener")
