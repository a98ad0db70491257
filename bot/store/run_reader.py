"""Runs by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bot.core.errors import NotFound, UnreadableRecord
from bot.core.runs.run import Run
from bot.store import redis_keys
from bot.store.codec import RUN_FIELDS, SentRun, read_run
from bot.store.connection import Connection
from bot.store.redis_client.shared_connection import Command


class RunReader:
    """Reads the records of runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, run_id: str) -> Run:
        """Raises NotFound."""
        stored = await self._connection.do(
            self._connection.redis.hmget(redis_keys.run(run_id), list(RUN_FIELDS))
        )
        return self.parse(run_id, stored)

    def parse(self, run_id: str, stored: Sequence[str | None], sent: SentRun | None = None) -> Run:
        """The run, from the reply to `command`; `sent`: by which it was started. Raises NotFound."""
        with self._connection.unreadable.reported():
            run = read_run(run_id, stored, sent)
        if run is None:
            raise NotFound("run", run_id)
        return run

    @staticmethod
    def command(run_id: str) -> Command:
        """What reads a run."""
        return ("HMGET", redis_keys.run(run_id), *RUN_FIELDS)

    async def read(self, run_ids: Sequence[str]) -> list[Run]:
        """The runs with these ids in this order; those that are gone, or can't be read here, are left out."""
        if not run_ids:
            return []
        async with self._connection.pipeline() as batch:
            for run_id in run_ids:
                batch.hmget(redis_keys.run(run_id), list(RUN_FIELDS))
        runs = (self.readable(*each) for each in zip(run_ids, batch.results, strict=True))
        return [run for run in runs if run is not None]

    def readable(self, run_id: str, stored: Sequence[str | None]) -> Run | None:
        """The run of these RUN_FIELDS; None if it is gone, or can't be read here."""
        with suppress(UnreadableRecord), self._connection.unreadable.reported():
            return read_run(run_id, stored)
        return None
