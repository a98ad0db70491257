"""A connection to Redis that runs transitions, and speaks of trouble in our own words."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import NoScriptError, RedisError

from bot.core.errors import SettingsError, StoreUnavailable
from bot.store import keys, lua

CONNECTIONS = 32
"""At most, in one process; further callers wait for a free one."""
TIMEOUT = 5.0
"""Seconds for one answer of the server."""


class Connection:
    """Commands and transitions on one Redis. All methods raise StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def run(self, script: str, shard: int, *args: str | int | float) -> Any:
        """Run a transition on a shard and return what it returns. Numbers of milliseconds are whole."""
        with translated():
            return await self._eval(script, shard, args)

    async def each_shard(self, script: str, *args: str | int | float) -> list[Any]:
        """Run a transition on every shard, in one round trip."""
        text = lua.source(script)
        async with self.pipeline() as pipe:
            for shard in range(keys.SHARDS):
                pipe.eval(text, 1, keys.base(shard), *_encoded(args))
        return pipe.results

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[Batch]:
        """Collect commands; they are sent when the block ends, and answered in `.results`."""
        batch = Batch(self.redis.pipeline(transaction=False))
        yield batch
        with translated():
            batch.results = await batch.pipe.execute()

    async def do(self, command: Awaitable[Any] | Any) -> Any:
        """Await one of redis-py's commands."""
        with translated():
            return await command

    async def close(self) -> None:
        await self.redis.aclose()

    async def _eval(self, script: str, shard: int, args: tuple[str | int | float, ...]) -> Any:
        text = lua.source(script)
        sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        keys_and_args = [keys.base(shard), *_encoded(args)]
        try:
            return await cast("Awaitable[Any]", self.redis.evalsha(sha, 1, *keys_and_args))
        except NoScriptError:
            return await cast("Awaitable[Any]", self.redis.eval(text, 1, *keys_and_args))


class Batch:
    """Commands to be sent together."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe
        self.results: list[Any] = []

    def __getattr__(self, command: str) -> Any:
        return getattr(self.pipe, command)


def _encoded(args: tuple[str | int | float, ...]) -> list[str]:
    return [str(int(arg)) if isinstance(arg, float) else str(arg) for arg in args]


@contextmanager
def translated() -> Iterator[None]:
    """Redis' errors, and the network's, as StoreUnavailable."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis can't do that now: {error}") from error


async def connect(url: str) -> Connection:
    """Connect to `url` (redis://, rediss://, unix://) and check that this release can read what is stored there.

    Raises StoreUnavailable, and SettingsError if the URL can't be read or a newer Crewdeck wrote there.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            decode_responses=True,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=2.0,
            health_check_interval=15,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2),
        )
    except ValueError as error:
        raise SettingsError(f"CREWDECK_REDIS_URL: {error}") from error
    connection = Connection(Redis(connection_pool=pool))
    try:
        await _check_schema(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _check_schema(connection: Connection) -> None:
    await connection.do(connection.redis.set(keys.SCHEMA_KEY, keys.SCHEMA, nx=True))
    stored = int(await connection.do(connection.redis.get(keys.SCHEMA_KEY)) or keys.SCHEMA)
    if stored > keys.SCHEMA:
        raise SettingsError(
            f"CREWDECK_REDIS_URL: this Redis was written by a newer Crewdeck (schema {stored}, this one reads "
            f"{keys.SCHEMA}). Upgrade this process."
        )
