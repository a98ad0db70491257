"""What workers say of themselves when they register."""

from __future__ import annotations

from functools import lru_cache

from bot.core.runs.waiting import WorkerAnnouncement
from bot.store import redis_keys
from bot.store.codec import ms
from bot.store.connection import Connection

LEASE_GRACE_S = 1.0
"""Time beyond its lease after which a worker counts as dead."""


async def live_workers(connection: Connection, now: int) -> dict[str, WorkerAnnouncement]:
    """What the workers that are alive have announced, by their names."""
    stored = await connection.do(connection.redis.hgetall(redis_keys.WORKER_CREWS))
    found = connection.unreadable.readable("offer", stored.items(), _announcement)
    return {name: each for name, (at, each) in found if at >= now - ms(each.lease + LEASE_GRACE_S)}


def _announcement(stored: str) -> tuple[int, WorkerAnnouncement]:
    """When a worker registered, and what it announced."""
    at, _, text = stored.partition(" ")
    return int(at), _read_announcement(text)


@lru_cache(maxsize=64)  # workers register the same again and again
def _read_announcement(text: str) -> WorkerAnnouncement:
    return WorkerAnnouncement.model_validate_json(text)
