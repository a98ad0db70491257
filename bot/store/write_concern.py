"""Write concern: how many servers must have a write before its result is reported.

`WAIT` covers only the writes of its own connection. So the transition, a marker write that stands for all
earlier writes, and the `WAIT` are sent together on one connection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from bot.core.errors import StoreUnavailable
from bot.store import redis_keys
from bot.store.lua import Script
from bot.store.redis_client.servers import Servers
from bot.store.redis_client.shared_client import Call, SharedClient
from bot.store.redis_client.shared_connection import Command, Reply

log = structlog.get_logger(__name__)

REPLICA_TIMEOUT_S = 1.0
"""How long replicas may take to confirm. Slack allows 3 seconds for a whole interaction."""

MARKER_WRITE = "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 1)"
"""A write that a full Redis accepts, because it starts with a deletion (see prelude.lua)."""

REPLICATION = "INFO replication"
"""As one word, so that redis-py doesn't parse the reply: one of its lines in twenty is of use here."""
_ONLINE = re.compile(r"^slave\d+:.*\bstate=online\b", re.MULTILINE)


@dataclass(frozen=True)
class WriteConcern:
    """Which copies a write needs before it is confirmed."""

    #: Number of replicas; None: one, where the server has any at that moment.
    replicas: int | None = None
    #: The write must be on disk, on the replicas and the primary (`WAITAOF`, Redis 7.2).
    fsync: bool = False


DEFAULT_WRITE_CONCERN = WriteConcern()


class DurableRunner:
    """Runs transitions and waits until they satisfy the write concern."""

    def __init__(self, wanted: WriteConcern, servers: Servers) -> None:
        self._wanted = wanted
        self._servers = servers
        #: How many replicas each server had when it was last asked.
        self._online: WeakKeyDictionary[Redis, int] = WeakKeyDictionary()

    async def run(
        self, redis: SharedClient, script: Script, key: str, args: Sequence[str], then: Command | None = None
    ) -> tuple[Reply, Reply]:
        """Run a transition on the server that owns the key; returns its reply, and that of `then`.

        `then` reads a key of the same shard right after the transition, without a round trip of its own.
        """
        replies = await self._attempt(redis, key, ("EVALSHA", script.sha, 1, key, *args), then)
        if isinstance(replies[0], NoScriptError):
            replies = await self._attempt(redis, key, ("EVAL", script.text, 1, key, *args), then)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def wait(self, redis: SharedClient, key: str) -> None:
        """Wait until all writes to this server so far satisfy the write concern."""
        await self._attempt(redis, key)

    async def _attempt(
        self, redis: SharedClient, key: str, command: Command | None = None, then: Command | None = None
    ) -> tuple[Reply, Reply]:
        """The replies of both commands; None for one that there isn't. An error of `command` is a reply."""
        replicas = self._needed(redis)
        check = self._servers.ownership_check(redis, key)
        commands = [*filter(None, (command, then)), *self._waits(key, replicas), (REPLICATION,)]
        replies = await redis.send([Call(each) for each in commands])
        reply = replies.pop(0) if command is not None else None
        read = replies.pop(0) if then is not None else None
        if isinstance(reply, Exception):
            return reply, read
        if not self._judge(redis, replicas, replies):
            # A replica connected meanwhile. The transition is repeated: there may have been a failover too.
            again, _ = await self._attempt(redis, key, command)
            return (again if isinstance(again, Exception) else reply), read
        if not self._online[redis]:
            # A primary without replicas may have been replaced without knowing it yet.
            await check()
        return reply, read

    def _needed(self, redis: SharedClient) -> int:
        if self._wanted.replicas is not None:
            return self._wanted.replicas
        return min(1, self._online.get(redis, 0))

    def _waits(self, key: str, replicas: int) -> list[Command]:
        if not replicas and not self._wanted.fsync:
            return []
        within = round(REPLICA_TIMEOUT_S * 1000)
        wait: Command = ("WAITAOF", 1, replicas, within) if self._wanted.fsync else ("WAIT", replicas, within)
        return [("EVAL", MARKER_WRITE, 1, redis_keys.write_marker(key)), wait]

    def _judge(self, redis: SharedClient, replicas: int, replies: Sequence[Reply]) -> bool:
        """Whether the write concern is satisfied. Raises StoreUnavailable on a timeout."""
        *waiting, state = replies
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        online = online_replicas(state)
        self._note(redis, online)
        if waiting and not self._enough(waiting[-1], replicas, online):
            raise StoreUnavailable(
                f"Redis has this, but its replicas ({online} are connected) did not confirm it in time."
            )
        return bool(waiting) or not self._needed(redis)

    def _note(self, redis: SharedClient, online: int) -> None:
        before, self._online[redis] = self._online.get(redis), online
        if before and not online:
            log.warning("A primary of Redis has lost its last replica")
        elif before == 0 and online:
            log.info("A primary of Redis has a replica again")

    def _enough(self, answer: Reply, replicas: int, online: int) -> bool:
        local, confirmed = answer if self._wanted.fsync else (1, answer)
        if self._wanted.replicas is None and not online:
            replicas = 0  # The last replica disconnected meanwhile.
        return int(local) >= 1 and int(confirmed) >= replicas


def online_replicas(state: str) -> int:
    """How many replicas follow a primary, by its `INFO replication`."""
    return len(_ONLINE.findall(state))
