"""Small values that all processes share and that survive restarts."""

from __future__ import annotations

from bot.store import redis_keys
from bot.store.codec import ms, new_call
from bot.store.connection import Connection
from bot.store.references import References

WEEK_S = 7 * 24 * 3600


class RedisKeyValues:
    """The port `bot.core.ports.store.KeyValueStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._references = References(connection)

    async def add(self, key: str, ttl: float = WEEK_S) -> bool:
        name = _added(key)
        first = self._connection.run_unsharded("add", redis_keys.key_value(name), new_call(), ms(ttl))
        return bool(await self._references.write_key_value(first, name))

    async def take_back(self, key: str) -> None:
        await self.delete(_added(key))

    async def set(self, key: str, value: str, ttl: float) -> None:
        write = self._connection.run_unsharded("set", redis_keys.key_value(key), value, ms(ttl))
        await self._references.write_key_value(write, key, value)

    async def set_if_absent(self, key: str, value: str, ttl: float) -> str:
        write = self._connection.run_unsharded("set_if_absent", redis_keys.key_value(key), value, ms(ttl))
        return str(await self._references.write_key_value(write, key, value))

    async def get(self, key: str) -> str | None:
        value: str | None = await self._connection.do(self._connection.redis.get(redis_keys.key_value(key)))
        return value

    async def delete(self, key: str) -> None:
        await self._connection.do(self._connection.redis.delete(redis_keys.key_value(key)))

    async def save_pending(self, kind: str, key: str, value: str) -> None:
        write = self._connection.run_unsharded_durably("save_pending", redis_keys.pending(kind), key, value)
        await self._references.write_pending(write, kind, key, value)

    async def remove_pending(self, kind: str, key: str) -> None:
        await self._connection.do(self._connection.redis.hdel(redis_keys.pending(kind), key))

    async def pending(self, kind: str) -> dict[str, str]:
        found: dict[str, str] = await self._connection.do(
            self._connection.redis.hgetall(redis_keys.pending(kind))
        )
        return found


def _added(key: str) -> str:
    return f"once:{key}"
