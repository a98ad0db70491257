"""What surfaces have still to show, and what they have shown."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.ports.outbox import DeliveryState, redrawn, redrawn_message
from bot.core.runs.place import Place
from bot.store import redis_keys
from bot.store.codec import dump, ms
from bot.store.connection import Connection

RELAYED_MS = 7 * 24 * 3600 * 1000
"""For how long question events are kept for a surface that is away."""
_MESSAGE = "copy:"
_ADOPTED = "adopted:"


class RedisOutbox:
    """The port `bot.core.ports.outbox.Outbox`."""

    shards = redis_keys.SHARDS

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def shard_of(self, run_id: str) -> int:
        return redis_keys.shard_of(run_id)

    async def lease_shard(
        self, surface: str, shard: int, owner: str, lease: float, *, relay: bool = False
    ) -> bool:
        relayed = RELAYED_MS if relay else ""
        return bool(await self._connection.run("lease_shard", shard, surface, owner, ms(lease), relayed))

    async def release_shard(self, surface: str, shard: int, owner: str) -> None:
        await self._connection.run("lease_shard", shard, surface, owner, 0, "")

    async def pending(self, surface: str, shard: int, limit: int = 100) -> list[str]:
        found: list[str] = await self._connection.run("pending", shard, surface, limit)
        if found:
            # What people are shown must not be taken back by a failover.
            await self._connection.wait_durable(shard)
        return found

    async def state(self, surface: str, run_id: str) -> DeliveryState:
        stored = await self._connection.do(self._connection.redis.hgetall(redis_keys.shown(run_id, surface)))
        messages = {
            name.removeprefix(_MESSAGE): ref for name, ref in stored.items() if name.startswith(_MESSAGE)
        }
        outdated = frozenset(name.removeprefix(_ADOPTED) for name in stored if name.startswith(_ADOPTED))
        cursor = stored.get("cursor", "")
        # From the beginning again where that is damaged: what is recorded as posted isn't posted twice.
        at = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
        return DeliveryState(cursor=at, messages=messages, outdated=outdated)

    async def mark_delivered(
        self,
        surface: str,
        owner: str,
        run_id: str,
        cursor: int,
        messages: Mapping[str, str] | None = None,
        *,
        place: Place | None = None,
    ) -> bool:
        where = ("", "", "") if place is None else (dump(place), place.key, place.group)
        pairs = [word for pair in (messages or {}).items() for word in pair]
        shard = redis_keys.shard_of(run_id)
        words = (*where, *pairs)
        return bool(
            await self._connection.run("mark_delivered", shard, surface, owner, run_id, cursor, *words)
        )

    async def postpone(self, surface: str, owner: str, run_id: str, seconds: float) -> bool:
        shard = redis_keys.shard_of(run_id)
        return bool(await self._connection.run("postpone", shard, surface, owner, run_id, ms(seconds)))

    async def adopt(self, surface: str, run_id: str, name: str, ref: str) -> None:
        await self._connection.run("adopt", redis_keys.shard_of(run_id), surface, run_id, name, ref)

    async def redraw(self, surface: str, run_id: str, question_id: str, word: str) -> None:
        await self.adopt(surface, run_id, redrawn(question_id, word), "")

    async def redraw_message(self, surface: str, run_id: str, ref: str) -> None:
        await self.adopt(surface, run_id, redrawn_message(ref), "")
