"""Pools of connections, for each kind of address."""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError

from bot.core.errors import SettingsError
from bot.store.redis_client.addresses import FORMS, Address, Node
from bot.store.redis_client.interruptible import make_interruptible

MAX_CONNECTIONS = 32
"""Of the pool, from one process to one server, for commands that block; further callers wait for one."""
TIMEOUT_S = 2.5
"""Seconds of silence after which a connection on which replies are awaited is given up."""
MAX_RETRIES = 2
"""How often a command is sent again when the connection broke, if there is time (`total_timeout`). So every
transition may run twice."""
BACKOFF = ExponentialWithJitterBackoff(base=0.05, cap=0.5)
"""The seconds before a command is sent again, by how often it has failed."""
SENTINEL_TIMEOUT_S = 1.0
"""Timeout of one reply of a sentinel; then the next one is asked."""
NAMED = "What follows ? is named as in docs/operations.md."
DRIVER = DriverInfo()
"""How clients introduce themselves. Without it, each connection reads its version from the disk."""


def server_pool(address: Address, node: Node | None = None) -> BlockingConnectionPool:
    """Connections to one server: the address' own, or one of its nodes. Raises SettingsError."""
    options = _options(address)
    if node is not None:
        options["host"], options["port"] = node
    pool = BlockingConnectionPool(**options)
    _check_options(pool)
    make_interruptible(pool)
    return pool


class SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the server that the sentinels call the primary, at the time of connecting."""

    async def has_moved(self, since: Node) -> bool:
        """Whether sentinels call another one the primary than `since`; its connections are closed then."""
        return bool(await self.get_master_address() != since)  # type: ignore[no-untyped-call]


def sentinel_pool(address: Address) -> SentinelPool:
    """Connections to the primary of the address' service. Raises SettingsError."""
    options = _options(address)
    # What the URL says of TLS holds for sentinels as well; their users and passwords are their own.
    shared = {key: value for key, value in options.items() if key.startswith("ssl_")}
    over_tls = issubclass(options.pop("connection_class", object), SSLConnection)
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        address.nodes,
        sentinel_kwargs={
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "retry": Retry(NoBackoff(), 0),
            "ssl": over_tls,
            **shared,
            **address.sentinel_options,
        },
    )
    for sentinel in sentinels.sentinels:
        make_interruptible(sentinel.connection_pool)
    kind = SentinelManagedSSLConnection if over_tls else SentinelManagedConnection
    pool = SentinelPool(address.service, sentinels, connection_class=kind, **options)  # type: ignore[no-untyped-call]
    _check_options(pool)
    make_interruptible(pool)
    return pool


async def close_pool(redis: Redis) -> None:
    """Close a client with its pool, and the sentinels that it asked."""
    await redis.aclose()
    pool = redis.connection_pool
    if isinstance(pool, SentinelPool):
        await pool.sentinel_manager.aclose()


def _options(address: Address) -> dict[str, Any]:
    return {
        "decode_responses": True,
        "max_connections": MAX_CONNECTIONS,
        "timeout": 2 * TIMEOUT_S,
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": 2.0,
        "health_check_interval": 15,
        "retry": Retry(BACKOFF, MAX_RETRIES),
        "driver_info": DRIVER,
        **address.options,
    }


def _check_options(pool: BlockingConnectionPool) -> None:
    """Check the options by creating a connection; nothing is sent."""
    try:
        connection = pool.connection_class(**pool.connection_kwargs)
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()
    except (TypeError, RedisError):
        raise SettingsError(f"{FORMS} {NAMED}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"CREWDECK_REDIS_URL: a certificate or key that it names can't be used: {error}"
        ) from None
