"""Runs that an operator deletes, with all that is stored of them."""

from __future__ import annotations

from bot.core.errors import NotFound, Refused
from bot.store import redis_keys
from bot.store.codec import ms, new_call, newer_run
from bot.store.connection import Connection
from bot.store.mentions import Mentions
from bot.store.questions import check_questions

SAME_CALL = 60
"""Seconds within which a call that is sent again is known, since nothing of the run is left to know it by."""
BARRED = 7 * 24 * 3600
"""Seconds for which a deleted run is not started again by what started it: longer than an `Idempotency-Key`
or a delivery of Slack's stands for its run."""


class DeletionVerbs:
    """`delete` of the port `bot.core.ports.Runs`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._mentions = Mentions(connection)

    async def delete(self, run_id: str) -> None:
        await check_questions(self._connection, run_id)
        crew = await self._connection.do(self._connection.redis.hget(redis_keys.run(run_id), "crew"))
        noted = await self._mentions.noted(run_id)
        code = await self._connection.run(
            "delete", redis_keys.shard_of(run_id), run_id, new_call(), ms(SAME_CALL), ms(BARRED)
        )
        if code == "unknown_run":
            raise NotFound("run", run_id)
        if code == "run_live":
            raise Refused(code, "This run is not over: cancel it first.")
        if code == "newer":
            raise newer_run(run_id)
        await self._mentions.remove(run_id, noted)
        if crew is not None:  # The place of one whose worker died; it is in the shard of the crew's name.
            await self._connection.do(self._connection.redis.hdel(redis_keys.working(crew), run_id))
