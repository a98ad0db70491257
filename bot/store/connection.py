"""A connection to Redis that runs transitions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import NoScriptError

from bot.core.errors import SettingsError
from bot.store import keys, lua
from bot.store.interruptible import make_interruptible
from bot.store.trouble import translated

CONNECTIONS = 32
"""At most, in one process; further callers wait for a free one."""
TIMEOUT = 5.0
"""Seconds for one answer of the server."""
RETRIES = 2
"""How often a command is sent again when the connection broke. So every transition may run twice."""

Reply = Any
"""What Redis answers; each script says what it returns."""


class Connection:
    """Commands and transitions on one Redis. All methods raise StoreUnavailable."""

    def __init__(self, redis: Redis, secret: str | None = None) -> None:
        self.redis = redis
        self._secret = secret

    async def run(self, script: str, shard: int, *args: str | float) -> Reply:
        """Run a transition on a shard and return what it returns. Numbers of milliseconds are whole."""
        with translated(self._secret):
            return await self._eval(lua.script(script), shard, _encoded(args))

    async def each_shard(self, script: str, *args: str | float) -> list[Reply]:
        """Run a transition on one shard after the other: several transitions, each for itself."""
        return [await self.run(script, shard, *args) for shard in range(keys.SHARDS)]

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[Batch]:
        """Collect reading commands; they are sent when the block ends, and answered in `.results`."""
        batch = Batch(self.redis.pipeline(transaction=False))
        yield batch
        with translated(self._secret):
            batch.results = await batch.pipe.execute()

    async def do(self, command: Awaitable[Reply] | Reply) -> Reply:
        """Await one of redis-py's commands."""
        with translated(self._secret):
            return await command

    async def now(self) -> int:
        """The store's clock, in milliseconds since the epoch."""
        seconds, micros = await self.do(self.redis.time())
        return int(seconds) * 1000 + int(micros) // 1000

    async def close(self) -> None:
        await self.redis.aclose()

    async def _eval(self, script: lua.Script, shard: int, args: list[str]) -> Reply:
        try:
            return await self.redis.evalsha(script.sha, 1, keys.base(shard), *args)
        except NoScriptError:
            return await self.redis.eval(script.text, 1, keys.base(shard), *args)


class Batch:
    """Commands to be sent together."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe
        self.results: list[Reply] = []

    def __getattr__(self, command: str) -> Reply:
        return getattr(self.pipe, command)


def _encoded(args: tuple[str | float, ...]) -> list[str]:
    return [str(int(arg)) if isinstance(arg, float) else str(arg) for arg in args]


async def connect(url: str) -> Connection:
    """Connect to `url` (redis://, rediss://, unix://), and check that this release can read what is there.

    Raises StoreUnavailable, and SettingsError if the URL can't be read or a newer Crewdeck wrote there.
    """
    pool = _pool(url)
    connection = Connection(Redis.from_pool(pool), pool.connection_kwargs.get("password"))
    try:
        await _check_schema(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


def _pool(url: str) -> BlockingConnectionPool:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            decode_responses=True,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=2.0,
            health_check_interval=15,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), RETRIES),
        )
    except (ValueError, TypeError):
        # Not with the parser's own words: they can quote a piece of the password.
        raise SettingsError(
            "CREWDECK_REDIS_URL: this is no address of a Redis server. It looks like "
            "redis://user:password@host:6379/0, rediss://... (TLS) or unix:///path/to/socket. In a password "
            "/ is written as %2F and @ as %40."
        ) from None
    make_interruptible(pool)
    return pool


async def _check_schema(connection: Connection) -> None:
    await connection.do(connection.redis.set(keys.SCHEMA_KEY, keys.SCHEMA, nx=True))
    stored = int(await connection.do(connection.redis.get(keys.SCHEMA_KEY)) or keys.SCHEMA)
    if stored > keys.SCHEMA:
        raise SettingsError(
            f"CREWDECK_REDIS_URL: a newer Crewdeck wrote into this Redis (schema {stored}, this one reads "
            f"{keys.SCHEMA}). Upgrade this process."
        )
