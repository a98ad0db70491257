"""Waiting until others than the primary have what people are about to be told.

`WAIT` covers what its own connection wrote, so the transition, a small write that stands for everything
before it, and the `WAIT` go down one connection together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError, RedisError

from bot.core.errors import StoreUnavailable
from bot.store import redis_keys
from bot.store.lua import Script
from bot.store.servers import Servers

log = structlog.get_logger(__name__)

WITHIN = 1.0
"""Seconds for replicas to confirm. Slack gives a press 3 in all."""

MARK = "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 1)"
"""A write that is let through even when Redis is full: deleting first makes it so (see prelude.lua)."""

Reply = Any


@dataclass(frozen=True)
class Witnessing:
    """How many have to have an answer before it is confirmed."""

    #: Replicas; None: one, of servers that have any at that moment.
    replicas: int | None = None
    #: And on disk, there and on the primary (`WAITAOF`, Redis 7.2).
    fsync: bool = False


ALONE = Witnessing()


class Witness:
    """Runs transitions so that they are known to more than one server."""

    def __init__(self, wanted: Witnessing, servers: Servers) -> None:
        self._wanted = wanted
        self._servers = servers
        #: How many replicas each server had when it was last asked.
        self._online: WeakKeyDictionary[Redis, int] = WeakKeyDictionary()

    async def run(self, redis: Redis, script: Script, key: str, args: Sequence[str]) -> Reply:
        """Run a transition on the server that has the key; what it returned."""
        reply = await self._attempt(redis, key, ("EVALSHA", script.sha, 1, key, *args))
        if isinstance(reply, NoScriptError):
            reply = await self._attempt(redis, key, ("EVAL", script.text, 1, key, *args))
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def wait(self, redis: Redis, key: str) -> None:
        """Wait for everything that was written to this server until now."""
        await self._attempt(redis, key)

    async def _attempt(self, redis: Redis, key: str, command: tuple[Any, ...] | None = None) -> Reply:
        replicas = self._needed(redis)
        check = self._servers.succession(redis, key)
        pipe = redis.pipeline(transaction=False)
        if command is not None:
            pipe.execute_command(*command)
        self._add_wait(pipe, key, replicas)
        pipe.info("replication")
        replies = await pipe.execute(raise_on_error=False)
        reply = replies.pop(0) if command is not None else None
        if isinstance(reply, Exception):
            return reply
        if not self._judge(redis, replicas, replies):
            # A replica has come meanwhile. The transition too: a failover may have come as well.
            again = await self._attempt(redis, key, command)
            return again if isinstance(again, Exception) else reply
        if not self._online[redis]:
            # A primary whose replicas have left may be one that was replaced and doesn't know it yet.
            await check()
        return reply

    def _needed(self, redis: Redis) -> int:
        if self._wanted.replicas is not None:
            return self._wanted.replicas
        return min(1, self._online.get(redis, 0))

    def _add_wait(self, pipe: Pipeline, key: str, replicas: int) -> None:
        if not replicas and not self._wanted.fsync:
            return
        pipe.eval(MARK, 1, redis_keys.witness(key))
        within = round(WITHIN * 1000)
        if self._wanted.fsync:
            pipe.execute_command("WAITAOF", 1, replicas, within)
        else:
            pipe.execute_command("WAIT", replicas, within)

    def _judge(self, redis: Redis, replicas: int, replies: Sequence[Reply]) -> bool:
        """Whether nothing is left to wait for. Raises StoreUnavailable if it took too long."""
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

    def _note(self, redis: Redis, online: int) -> None:
        before, self._online[redis] = self._online.get(redis), online
        if before and not online:
            log.warning("A primary of Redis has lost its last replica")
        elif before == 0 and online:
            log.info("A primary of Redis has a replica again")

    def _enough(self, answer: Reply, replicas: int, online: int) -> bool:
        local, confirmed = answer if self._wanted.fsync else (1, answer)
        if self._wanted.replicas is None and not online:
            replicas = 0  # The last one left while it was waited for.
        return int(local) >= 1 and int(confirmed) >= replicas


def online_replicas(state: dict[str, Any]) -> int:
    """How many replicas follow a primary, by its `INFO replication`."""
    found = [each for name, each in state.items() if name.startswith("slave") and isinstance(each, dict)]
    return sum(each.get("state") == "online" for each in found)
