"""A connection to Redis that runs transitions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from bot.core.errors import SettingsError, StoreUnavailable
from bot.store import lua, redis_keys
from bot.store.redis_client.addresses import Address, Kind, read_address
from bot.store.redis_client.cluster import Cluster
from bot.store.redis_client.pools import sentinel_pool, server_pool
from bot.store.redis_client.redis_errors import ErrorTranslation
from bot.store.redis_client.servers import Batch, Commands, OnePrimary, Result, Servers
from bot.store.redis_client.shared_client import SharedClient
from bot.store.redis_client.shared_connection import Command, Reply
from bot.store.redis_client.subscription import Subscription
from bot.store.unreadable import Unreadable
from bot.store.write_concern import DEFAULT_WRITE_CONCERN, DurableRunner, WriteConcern

log = structlog.get_logger(__name__)

_NODE = (
    "CREWDECK_REDIS_URL: this server is a node of a Redis Cluster. Write the address as "
    "redis+cluster://host:6379,host:6379, without a number at the end."
)
_NO_DATABASE = (
    "CREWDECK_REDIS_URL: this server has no database of that number. Of a Redis Cluster no node has any: "
    "its address looks like redis+cluster://host:6379,host:6379"
)
__all__ = ["Connection", "Reply", "connect"]


class Connection:
    """Commands and transitions on Redis. All methods raise StoreUnavailable."""

    def __init__(
        self, servers: Servers, address: Address, write_concern: WriteConcern = DEFAULT_WRITE_CONCERN
    ) -> None:
        self.address = address
        self.errors = ErrorTranslation(address.secrets)
        self._servers = servers
        self._durable = DurableRunner(write_concern, servers)
        #: What could not be read.
        self.unreadable = Unreadable()
        #: redis-py's commands, for `do`.
        self.redis = Commands(servers)

    async def run(self, script: str, shard: int, *args: str | float) -> Reply:
        """Run a transition on a shard; returns its reply. Milliseconds are sent as whole numbers."""
        return await self._run(lua.script(script), redis_keys.base(shard), args)

    async def run_unsharded(self, script: str, key: str, *args: str | float) -> Reply:
        """Run a script on one key outside of the shards."""
        return await self._run(lua.unsharded(script), key, args)

    async def run_durably(self, script: str, shard: int, *args: str | float) -> Reply:
        """Run a transition and wait for its write concern, so that a failover can't lose it.

        If that takes too long it raises StoreUnavailable although the transition has happened: it has to be
        safe to run again, and the second time waits likewise.
        """
        reply, _ = await self._run_durably(lua.script(script), redis_keys.base(shard), args)
        return reply

    async def run_durably_and_read(
        self, script: str, shard: int, *args: str | float, then: Command
    ) -> tuple[Reply, Reply]:
        """As `run_durably`, and read a key of the shard right after it: both replies, in one round trip."""
        return await self._run_durably(lua.script(script), redis_keys.base(shard), args, then)

    async def run_unsharded_durably(self, script: str, key: str, *args: str | float) -> Reply:
        """Run a script on one key outside of the shards, and wait for its write concern."""
        reply, _ = await self._run_durably(lua.unsharded(script), key, args)
        return reply

    async def wait_durable(self, shard: int) -> None:
        """Wait until all writes to a shard so far satisfy the write concern."""
        key = redis_keys.base(shard)
        with self.errors:
            await self._servers.with_owner(key, lambda redis: self._durable.wait(redis, key))

    async def each_shard(self, script: str, *args: str | float) -> list[Reply]:
        """Run a transition on each shard in turn. Each is atomic; together they are not."""
        return [await self.run(script, shard, *args) for shard in range(redis_keys.SHARDS)]

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[Batch]:
        """Collect reading commands. They are sent when the block ends; `.results` has the replies."""
        batch = Batch()
        yield batch
        with self.errors:
            batch.results = await self._servers.send(batch.calls)

    def grouped_by_slot(self, keys: Iterable[str]) -> list[list[str]]:
        """The keys in the groups that one command may name: all together, or in a cluster each alone."""
        if self.address.kind is Kind.CLUSTER:
            return [[key] for key in keys]
        return [list(keys)]

    async def do(self, command: Awaitable[Reply] | Reply) -> Reply:
        """Await one of redis-py's commands."""
        with self.errors:
            return await command

    async def now(self) -> int:
        """The store's clock, in milliseconds since the epoch."""
        seconds, micros = await self.do(self.redis.time())
        return int(seconds) * 1000 + int(micros) // 1000

    @asynccontextmanager
    async def listener(self, channel: str) -> AsyncIterator[Subscription]:
        """A subscription on a connection of its own. It raises the errors of redis-py."""
        subscription = await (await self._servers.any_server()).subscribe(channel)
        try:
            yield subscription
        finally:
            subscription.close()

    async def check_permissions(self) -> None:
        """Raise StoreRefused if the user of the address may not do what transitions and wake-ups need."""
        await self.run_unsharded("check_permissions", redis_keys.PERMISSIONS)
        with self.errors:
            async with self.listener(redis_keys.WAKE):
                pass

    async def primaries(self) -> Sequence[Redis]:
        """All primaries, for commands about the server itself."""
        with self.errors:
            return await self._servers.primaries()

    async def on_every_primary(self, ask: Callable[[Redis], Awaitable[Result]]) -> list[Result]:
        """The replies of all primaries."""
        with self.errors:
            return await self._servers.on_every_primary(ask)

    async def close(self) -> None:
        await self._servers.close()

    async def _run_durably(
        self, script: lua.Script, key: str, args: tuple[str | float, ...], then: Command | None = None
    ) -> tuple[Reply, Reply]:
        words = _encoded(args)
        with self.errors:
            return await self._servers.with_owner(
                key, lambda redis: self._durable.run(redis, script, key, words, then)
            )

    async def _run(self, script: lua.Script, key: str, args: tuple[str | float, ...]) -> Reply:
        words = _encoded(args)

        async def on(redis: SharedClient) -> Reply:
            try:
                return await redis.execute_command("EVALSHA", script.sha, 1, key, *words)
            except NoScriptError:
                return await redis.execute_command("EVAL", script.text, 1, key, *words)

        with self.errors:
            return await self._servers.with_owner(key, on)


def _encoded(args: tuple[str | float, ...]) -> list[str]:
    return [str(int(arg)) if isinstance(arg, float) else str(arg) for arg in args]


async def connect(url: str, write_concern: WriteConcern = DEFAULT_WRITE_CONCERN) -> Connection:
    """Connect to `url` (docs/operations.md), and check that this release can read what is there.

    Raises StoreUnavailable, and SettingsError if the URL can't be read or a newer Crewdeck wrote there.
    """
    address = read_address(url)
    connection = Connection(_servers(address), address, write_concern)
    try:
        if await _is_in_a_cluster(connection):
            address = _as_cluster(address)
            await connection.close()
            connection = Connection(Cluster(address), address, write_concern)
        await _check_schema(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


def _servers(address: Address) -> Servers:
    match address.kind:
        case Kind.SERVER:
            return OnePrimary(SharedClient.of(server_pool(address)))
        case Kind.SENTINEL:
            return OnePrimary(SharedClient.of(sentinel_pool(address)))
        case Kind.CLUSTER:
            return Cluster(address)


async def _is_in_a_cluster(connection: Connection) -> bool:
    if connection.address.kind is not Kind.SERVER:
        return False
    try:
        found = await connection.do(connection.redis.info("cluster"))
    except StoreUnavailable as error:
        if "cluster mode" in str(error) or "DB index" in str(error):
            raise SettingsError(_NO_DATABASE) from None
        raise
    return bool(found.get("cluster_enabled"))


def _as_cluster(address: Address) -> Address:
    """The address of a cluster, for what was read as a single server."""
    options = dict(address.options)
    host, port = options.pop("host", None), options.pop("port", 6379)
    if host is None or options.pop("db", 0):
        raise SettingsError(_NO_DATABASE if host else _NODE)
    return Address(Kind.CLUSTER, ((host, port),), options, {})


async def _upgrade_pending(connection: Connection) -> None:
    """Give pending work the key that it has since schema 3."""
    old = f"{redis_keys.PREFIX}:shelf:"

    async def keys(redis: Redis) -> list[str]:
        return [key async for key in redis.scan_iter(match=f"{old}*")]

    for key in (each for found in await connection.on_every_primary(keys) for each in found):
        stored = await connection.do(connection.redis.hgetall(key))
        renamed = redis_keys.pending(key.removeprefix(old))
        for name, value in stored.items():
            await connection.do(connection.redis.hsetnx(renamed, name, value))
        await connection.do(connection.redis.delete(key))


async def _check_schema(connection: Connection) -> None:
    await connection.do(connection.redis.set(redis_keys.SCHEMA_KEY, redis_keys.SCHEMA, nx=True))
    stored = int(await connection.do(connection.redis.get(redis_keys.SCHEMA_KEY)) or redis_keys.SCHEMA)
    if stored < redis_keys.SCHEMA:
        # Upgraded before the new number is written, so that no process reads a shard that is not.
        upgraded = await connection.each_shard("upgrade")
        await _upgrade_pending(connection)
        await connection.do(connection.redis.set(redis_keys.SCHEMA_KEY, redis_keys.SCHEMA))
        log.info("Upgraded the stored data", schema=redis_keys.SCHEMA, runs=sum(upgraded))
    if stored > redis_keys.SCHEMA:
        raise SettingsError(
            f"CREWDECK_REDIS_URL: a newer Crewdeck wrote into this Redis (schema {stored}, this one reads "
            f"{redis_keys.SCHEMA}). Upgrade this process."
        )
