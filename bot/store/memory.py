"""Small things that must be known to all processes and across restarts."""

from __future__ import annotations

from bot.store import keys
from bot.store.codec import ms, new_call
from bot.store.connection import Connection

WEEK = 7 * 24 * 3600


class MemoryVerbs:
    """The port `bot.core.ports.Memory`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def once(self, key: str, ttl: float = WEEK) -> bool:
        name = keys.memory(f"once:{key}")
        return bool(await self._connection.run_small("once", name, new_call(), ms(ttl)))

    async def remember(self, key: str, value: str, ttl: float) -> None:
        await self._connection.run_small("remember", keys.memory(key), value, ms(ttl))

    async def keep(self, key: str, value: str, ttl: float) -> str:
        kept: str = await self._connection.run_small("keep", keys.memory(key), value, ms(ttl))
        return kept

    async def recall(self, key: str) -> str | None:
        value: str | None = await self._connection.do(self._connection.redis.get(keys.memory(key)))
        return value

    async def forget(self, key: str) -> None:
        await self._connection.do(self._connection.redis.delete(keys.memory(key)))

    async def shelve(self, shelf: str, key: str, value: str) -> None:
        await self._connection.confirm_small("shelve", keys.shelf(shelf), key, value)

    async def unshelve(self, shelf: str, key: str) -> None:
        await self._connection.do(self._connection.redis.hdel(keys.shelf(shelf), key))

    async def shelved(self, shelf: str) -> dict[str, str]:
        found: dict[str, str] = await self._connection.do(self._connection.redis.hgetall(keys.shelf(shelf)))
        return found
