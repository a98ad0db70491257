"""API keys in Redis, all in one shard. Revoked ones stay: once there was a key, the API asks for one."""

from __future__ import annotations

import builtins
import json

from bot.core.people.api_keys import ApiKey
from bot.store import redis_keys
from bot.store.connection import Connection

_HOME = 0
_KEYS = f"{redis_keys.base(_HOME)}:apikeys"


class RedisApiKeys:
    """The port `bot.core.people.api_keys.ApiKeys`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, key: ApiKey) -> bool:
        spec = key.model_dump_json(exclude={"created_at", "revoked_at"})
        return bool(await self._connection.run("add_api_key", _HOME, key.name, spec))

    async def revoke(self, name: str) -> bool:
        return bool(await self._connection.run("revoke_api_key", _HOME, name))

    async def list(self) -> builtins.list[ApiKey]:
        async with self._connection.pipeline() as batch:
            for part in ("", ":created", ":revoked"):
                batch.hgetall(f"{_KEYS}{part}")
        specs, created, revoked = batch.results

        def read(document: str) -> ApiKey:
            spec, since, until = json.loads(document)
            key = ApiKey.model_validate_json(spec)
            return key.model_copy(update={"created_at": int(since), "revoked_at": int(until) or None})

        stored = (
            (name, json.dumps([spec, created.get(name), revoked.get(name, 0)]))
            for name, spec in specs.items()
        )
        # A key whose record can't be read is not accepted.
        found = [key for _, key in self._connection.unreadable.readable("API key", stored, read)]
        return sorted(found, key=lambda key: key.name)

    async def lock(self) -> None:
        await self._connection.do(self._connection.redis.set(f"{_KEYS}:locked", 1))

    async def locked(self) -> bool:
        return bool(await self._connection.do(self._connection.redis.exists(f"{_KEYS}:locked")))
