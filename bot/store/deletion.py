"""Runs that an operator deletes, with all that is stored of them."""

from __future__ import annotations

from redis.asyncio import Redis

from bot.core.errors import NotFound, Refused
from bot.store import keys
from bot.store.codec import ms, new_call, newer_run
from bot.store.connection import Connection
from bot.store.questions import check_questions

SAME_CALL = 60
"""Seconds within which a call that is sent again is known, since nothing of the run is left to know it by."""
PAGE = 1000


class DeletionVerbs:
    """`delete` of the port `bot.core.ports.Runs`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def delete(self, run_id: str) -> None:
        await check_questions(self._connection, run_id)
        code = await self._connection.run("delete", keys.shard_of(run_id), run_id, new_call(), ms(SAME_CALL))
        if code == "unknown_run":
            raise NotFound("run", run_id)
        if code == "run_live":
            raise Refused(code, "This run is not over: cancel it first.")
        if code == "newer":
            raise newer_run(run_id)
        await self._forget_mentions(run_id)

    async def _forget_mentions(self, run_id: str) -> None:
        """What surfaces noted of it, which would be forgotten by itself some days later."""
        for name in await self._names(keys.shelf("*")):
            await self._unshelve(name, run_id)
        noted = await self._names(keys.memory("*"))
        for start in range(0, len(noted), PAGE):
            page = noted[start : start + PAGE]
            async with self._connection.pipeline() as batch:
                for name in page:
                    batch.get(name)
            found = zip(page, batch.results, strict=True)
            mentions = [name for name, value in found if run_id in name or run_id in (value or "")]
            async with self._connection.pipeline() as batch:
                for name in mentions:
                    batch.delete(name)

    async def _unshelve(self, shelf: str, run_id: str) -> None:
        kept = await self._connection.do(self._connection.redis.hgetall(shelf))
        for name in [key for key, value in kept.items() if run_id in key or run_id in value]:
            await self._connection.do(self._connection.redis.hdel(shelf, name))

    async def _names(self, pattern: str) -> list[str]:
        async def scanned(server: Redis) -> list[str]:
            return [name async for name in server.scan_iter(match=pattern, count=PAGE)]

        return [name for names in await self._connection.everywhere(scanned) for name in names]
