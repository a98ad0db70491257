"""The servers of an address: a single primary, or the primaries of a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from redis.asyncio import Redis
from redis.commands.core import AsyncDataAccessCommands, AsyncManagementCommands, AsyncScriptCommands
from redis.event import EventDispatcher

from bot.core.errors import StoreUnavailable
from bot.store import redis_keys
from bot.store.redis_client.addresses import Node
from bot.store.redis_client.pools import SentinelPool, close_pool
from bot.store.redis_client.shared_client import Call, SharedClient
from bot.store.redis_client.shared_connection import Command, Reply

Result = TypeVar("Result")
Check = Callable[[], Awaitable[None]]
"""A check that raises if it fails."""


KEYLESS = frozenset({"TIME", "PING", "INFO", "CONFIG GET"})
"""Sent to the server that has the schema: all processes read one clock."""


def key_of(words: Command) -> str:
    """The key that decides which server gets a command."""
    if words[0] in KEYLESS:
        return redis_keys.SCHEMA_KEY
    # EVAL has its keys behind the script and the number of keys.
    return str(words[3] if words[0] == "EVAL" else words[1])


class Commands(AsyncDataAccessCommands, AsyncManagementCommands):
    """The commands of redis-py, each sent to the server that owns its key."""

    _is_async_client: Literal[True] = True  # tells redis-py's types that commands are awaited

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._event_dispatcher = EventDispatcher()

    async def execute_command(self, *args: Any, **options: Any) -> Reply:
        return await self._servers.with_owner(
            key_of(args), lambda redis: redis.execute_command(*args, **options)
        )


class Batch(AsyncDataAccessCommands, AsyncManagementCommands, AsyncScriptCommands):
    """Commands of redis-py that are sent together."""

    _is_async_client: Literal[True] = True
    _event_dispatcher = EventDispatcher()  # They need none, but redis-py's types do.

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.results: list[Reply] = []

    def execute_command(self, *args: Any, **options: Any) -> None:
        self.calls.append(Call(args, options))


class Servers(Protocol):
    """Routes commands to servers. Raises the errors of redis-py."""

    async def with_owner(self, key: str, ask: Callable[[SharedClient], Awaitable[Result]]) -> Result:
        """Call `ask` with the server that owns a key, again with another server if the key has moved."""

    async def send(self, calls: Sequence[Call]) -> list[Reply]:
        """Send reading commands at once; raises the first error."""

    async def any_server(self) -> SharedClient:
        """A server that receives messages published on any of them."""

    async def primaries(self) -> Sequence[Redis]:
        """All primaries."""

    async def on_every_primary(self, ask: Callable[[SharedClient], Awaitable[Result]]) -> list[Result]:
        """Call `ask` with each primary. All are asked again if one of them was replaced."""

    def ownership_check(self, redis: Redis, key: str) -> Check:
        """A check, to be made later, that other servers still regard the server of a key as its primary.

        Made before it is written to: by then a client may speak to the next one.
        """

    async def close(self) -> None:
        """Close all connections."""


async def execute(redis: Redis, *args: Any, **options: Any) -> Reply:
    """Send one command, in Redis' own words."""
    return await redis.execute_command(*args, **options)  # type: ignore[no-untyped-call]


class OnePrimary:
    """A single server, or the one that sentinels call the primary."""

    def __init__(self, redis: SharedClient) -> None:
        self._redis = redis

    async def with_owner(self, key: str, ask: Callable[[SharedClient], Awaitable[Result]]) -> Result:  # noqa: ARG002
        return await ask(self._redis)

    async def send(self, calls: Sequence[Call]) -> list[Reply]:
        replies = await self._redis.send(calls)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def any_server(self) -> SharedClient:
        return self._redis

    async def primaries(self) -> Sequence[Redis]:
        return [self._redis]

    async def on_every_primary(self, ask: Callable[[SharedClient], Awaitable[Result]]) -> list[Result]:
        return [await ask(self._redis)]

    def ownership_check(self, redis: Redis, key: str) -> Check:  # noqa: ARG002
        pool = redis.connection_pool
        if isinstance(pool, SentinelPool):
            return partial(_check_with_sentinels, pool, pool.master_address)
        return _nobody_to_ask

    async def close(self) -> None:
        await close_pool(self._redis)


async def _nobody_to_ask() -> None:
    """Nothing promotes another server in place of a single one."""


async def _check_with_sentinels(pool: SentinelPool, named: Node | None) -> None:
    if named is not None and await pool.has_moved(named):
        raise StoreUnavailable("Redis has this, but by the word of its sentinels it is the primary no more.")
