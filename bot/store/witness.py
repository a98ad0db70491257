"""Waiting until others than the primary have what people are about to be told.

`WAIT` covers what its own connection wrote, so the transition, a small write that stands for everything
before it, and the `WAIT` go down one connection together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError, RedisError

from bot.core.errors import StoreUnavailable
from bot.store.addresses import Node
from bot.store.lua import Script
from bot.store.pools import SentinelPool

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

    def __init__(self, wanted: Witnessing) -> None:
        self._wanted = wanted
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
        named = _named(redis)
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
        if not self._online[redis] and named is not None:
            await _check_that_it_still_is(redis, named)
        return reply

    def _needed(self, redis: Redis) -> int:
        if self._wanted.replicas is not None:
            return self._wanted.replicas
        return min(1, self._online.get(redis, 0))

    def _add_wait(self, pipe: Pipeline, key: str, replicas: int) -> None:
        if not replicas and not self._wanted.fsync:
            return
        pipe.eval(MARK, 1, f"{key}:witness")
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
        self._online[redis] = online
        if waiting and not self._enough(waiting[-1], replicas, online):
            raise StoreUnavailable(
                f"Redis has this, but its replicas ({online} are connected) did not confirm it in time."
            )
        return bool(waiting) or not self._needed(redis)

    def _enough(self, answer: Reply, replicas: int, online: int) -> bool:
        local, confirmed = answer if self._wanted.fsync else (1, answer)
        if self._wanted.replicas is None and not online:
            replicas = 0  # The last one left while it was waited for.
        return int(local) >= 1 and int(confirmed) >= replicas


def _named(redis: Redis) -> Node | None:
    """The server that sentinels called the primary last; None where there are none."""
    pool = redis.connection_pool
    return pool.master_address if isinstance(pool, SentinelPool) else None


async def _check_that_it_still_is(redis: Redis, named: Node) -> None:
    """A primary whose replicas have left may be one that was replaced and doesn't know it yet."""
    pool = redis.connection_pool
    if isinstance(pool, SentinelPool) and await pool.has_moved(named):
        raise StoreUnavailable("Redis has this, but by the word of its sentinels it is the primary no more.")


def online_replicas(state: dict[str, Any]) -> int:
    """How many replicas follow a primary, by its `INFO replication`."""
    found = [each for name, each in state.items() if name.startswith("slave") and isinstance(each, dict)]
    return sum(each.get("state") == "online" for each in found)
