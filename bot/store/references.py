"""References to runs in keys outside of the shards, recorded so that they are deleted with the run."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Sequence

from bot.store import redis_keys
from bot.store.connection import Connection, Reply

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MAX_UNCHECKED_IDS = 4

Where = Sequence[str]
"""`memory, <key>` or `pending, <kind>, <key>`."""


class References:
    """Values in `crewdeck:memory:*` and `crewdeck:pending:*` that contain the id of a run."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def write_key_value(self, write: Awaitable[Reply], key: str, value: str = "") -> Reply:
        """Write a remembered value, and record the runs that it mentions."""
        return await self._write(write, ("memory", key), key, value)

    async def write_pending(self, write: Awaitable[Reply], kind: str, key: str, value: str) -> Reply:
        """Write pending work, and record the runs that it mentions."""
        return await self._write(write, ("pending", kind, key), key, value)

    async def tracked(self, run_id: str) -> list[Where]:
        """The keys that were recorded for this run."""
        found = await self._connection.do(self._connection.redis.smembers(redis_keys.references(run_id)))
        return [json.loads(each) for each in sorted(found)]

    async def remove(self, run_id: str, tracked: Sequence[Where]) -> None:
        """Delete the values under these keys that still mention the run."""
        async with self._connection.pipeline() as kept:
            for kind, *where in tracked:
                if kind != "memory":
                    kept.hget(redis_keys.pending(where[0]), where[1])
                else:
                    kept.get(redis_keys.key_value(where[0]))
        stored = zip(tracked, kept.results, strict=True)
        speaking = [where for where, value in stored if run_id in where[-1] or run_id in (value or "")]
        for kind, *where in speaking:
            if kind != "memory":
                await self._connection.do(self._connection.redis.hdel(redis_keys.pending(where[0]), where[1]))
            else:
                await self._connection.do(self._connection.redis.delete(redis_keys.key_value(where[0])))

    async def _write(self, write: Awaitable[Reply], where: Where, *texts: str) -> Reply:
        mentioned = sorted({found for text in texts for found in _ID.findall(text)})
        if not mentioned:
            return await write
        reply, _ = await asyncio.gather(write, self._track(where, mentioned))  # at once: people wait for it
        return reply

    async def _track(self, where: Where, mentioned: Sequence[str]) -> None:
        if len(mentioned) > MAX_UNCHECKED_IDS:  # A text with many ids: few of them are ids of runs.
            mentioned = await self._runs(mentioned)
        await asyncio.gather(
            *(
                self._connection.run("add_reference", redis_keys.shard_of(run_id), run_id, json.dumps(where))
                for run_id in mentioned
            )
        )

    async def _runs(self, mentioned: Sequence[str]) -> list[str]:
        async with self._connection.pipeline() as batch:
            for run_id in mentioned:
                batch.exists(redis_keys.run(run_id))
        return [run_id for run_id, there in zip(mentioned, batch.results, strict=True) if there]
