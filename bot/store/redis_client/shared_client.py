"""redis-py's client, whose commands share one connection. Those that would block it use the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TookTooLong

from bot.store.redis_client.addresses import Node
from bot.store.redis_client.interruptible import Interruptible
from bot.store.redis_client.pools import BACKOFF, MAX_RETRIES, SentinelPool
from bot.store.redis_client.shared_connection import (
    CLOSED,
    Command,
    Reply,
    SharedConnection,
    packed,
    total_timeout,
    usable,
)
from bot.store.redis_client.subscription import Subscription

BLOCKING = frozenset({"WAIT", "WAITAOF"})
"""Commands behind which all others of a connection wait; and what they wait for are writes of that one."""
OPTIONS_OF_THE_CLIENT = {EMPTY_RESPONSE, NEVER_DECODE}
"""Options of commands whose replies are read in a way of their own."""


class Call(NamedTuple):
    """A command in Redis' own words, and by what redis-py reads its reply."""

    words: Command
    options: Mapping[str, Any] = MappingProxyType({})


class SharedClient(Redis):
    """A client of one server."""

    def __init__(self, connection_pool: ConnectionPool) -> None:
        super().__init__(connection_pool=connection_pool)
        #: Where sentinels say which server is the primary.
        self._sentinels = connection_pool if isinstance(connection_pool, SentinelPool) else None
        self._pool = connection_pool
        self._patience = total_timeout(connection_pool.connection_kwargs["socket_timeout"])
        self._connection: SharedConnection | None = None
        #: Which server that is, where sentinels say it.
        self._connected_to: Node | None = None
        self._connecting: asyncio.Task[SharedConnection] | None = None
        self._closed = False

    @classmethod
    def of(cls, connection_pool: ConnectionPool) -> Self:
        """A client that closes the pool with itself."""
        client = cls(connection_pool)
        client.auto_close_connection_pool = True
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Reply:
        if args[0] in BLOCKING or not OPTIONS_OF_THE_CLIENT.isdisjoint(options):
            async with self.in_time():
                return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        [reply] = await self.ask([args])
        if isinstance(reply, Exception):
            raise reply
        return self.read(reply, args, options)

    async def send(self, calls: Sequence[Call]) -> list[Reply]:
        """The replies to these commands as redis-py returns them, in one round trip.

        Errors of the server are among them.
        """
        if any(call.words[0] in BLOCKING for call in calls):
            async with self.in_time():
                return await self._send_by_pool(calls)
        replies = await self.ask([call.words for call in calls]) if calls else []
        return [
            reply if isinstance(reply, Exception) else self.read(reply, *call)
            for reply, call in zip(replies, calls, strict=True)
        ]

    async def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to these commands, in one round trip; errors of the server are among them.

        When the connection breaks all of them are sent again, so each of them may be executed twice.
        Whatever happens, it takes no longer than `total_timeout`.
        """
        words, many, ends = packed(commands), len(commands), self._ends
        failures = 0
        while True:
            try:
                # An open connection has a timer for all that it has sent, so commands need none of their own.
                if not failures and (connection := self._open_connection) is not None:
                    return usable(await connection.send(words, many))
                async with asyncio.timeout_at(ends):
                    connection = await self._connected()
                    return usable(await connection.send(words, many))
            except (Disconnected, TookTooLong):
                failures += 1
                if failures > MAX_RETRIES or asyncio.get_running_loop().time() >= ends:
                    raise
            await asyncio.sleep(BACKOFF.compute(failures))

    def in_time(self) -> asyncio.Timeout:
        """Raises TimeoutError when a command that begins now has taken too long."""
        return asyncio.timeout_at(self._ends)

    def read(self, reply: Reply, command: Command, options: Mapping[str, Any]) -> Reply:
        """A reply as redis-py's commands return it."""
        read = self.response_callbacks.get(command[0])
        return reply if read is None else read(reply, **{k: v for k, v in options.items() if k != "keys"})

    async def subscribe(self, channel: str) -> Subscription:
        """Listen to a channel, on a connection of its own."""
        return await Subscription.open(channel, await self._open())

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.close()
        await super().aclose(close_connection_pool)

    async def _send_by_pool(self, calls: Sequence[Call]) -> list[Reply]:
        pipe = self.pipeline(transaction=False)
        for words, options in calls:
            pipe.execute_command(*words, **options)
        return await pipe.execute(raise_on_error=False)

    async def _connected(self) -> SharedConnection:
        """The open connection. Whoever needs one while it is being made waits for the same one."""
        if (connection := self._open_connection) is not None:
            return connection
        if self._connection is not None:
            self._connection.retire()
        if self._closed:
            raise Disconnected(CLOSED)
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._connect_ended)
        connecting = self._connecting
        await asyncio.wait({connecting})
        if connecting.cancelled():
            raise Disconnected(CLOSED)
        return connecting.result()

    @property
    def _ends(self) -> float:
        """When a command that begins now has taken too long, by the loop's clock."""
        return asyncio.get_running_loop().time() + self._patience

    @property
    def _open_connection(self) -> SharedConnection | None:
        """The connection, where it is open and goes to the server that it should go to."""
        connection = self._connection
        if connection is None or connection.closed or self._connected_to != self._primary:
            return None
        return connection

    @property
    def _primary(self) -> Node | None:
        """The server that sentinels have last called the primary."""
        return None if self._sentinels is None else self._sentinels.master_address

    async def _connect(self) -> SharedConnection:
        connection = await self._open()
        self._connected_to = self._primary
        self._connection = SharedConnection(connection, of_sentinels=self._sentinels is not None)
        return self._connection

    async def _open(self) -> Interruptible:
        connection: Interruptible = self._pool.make_connection()  # type: ignore[no-untyped-call]
        # redis-py would ping while it connects, and connect anew to ping when that takes too long.
        connection.health_check_interval = 0
        try:
            await self._connect_once(connection)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _connect_once(self, connection: Interruptible) -> None:
        """Whoever asks tries again, so this does not."""
        if isinstance(connection, SentinelManagedConnection) and self._sentinels is not None:
            primary = await self._sentinels.get_master_address()  # type: ignore[no-untyped-call]
            await connection.connect_to(primary)  # type: ignore[no-untyped-call]
        else:
            await connection.connect_check_health(check_health=False, retry_socket_connect=False)

    def _connect_ended(self, task: asyncio.Task[SharedConnection]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # Perhaps nobody waits for it any more.
