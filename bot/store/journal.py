"""The journal of a run: what it has done, so that it is never done again. Fenced by the claim's epoch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from bot.core.model import Claim
from bot.core.ports import Fenced
from bot.store import keys
from bot.store.connection import Connection, Reply


class JournalVerbs:
    """The port `bot.core.ports.Journal`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def journal(self, run_id: str) -> dict[str, str]:
        stored: dict[str, str] = await self._connection.do(
            self._connection.redis.hgetall(keys.journal(run_id))
        )
        return stored

    async def note(self, claim: Claim, name: str, value: str) -> str:
        stored: str | None = await self._write("note", claim, name, value)
        if stored is None:
            raise Fenced
        return stored

    async def write(
        self, claim: Claim, entries: Sequence[tuple[str, str]], struck: Sequence[str] = ()
    ) -> None:
        names_and_values = chain.from_iterable(entries)
        if not await self._write("write", claim, len(entries), *names_and_values, *struck):
            raise Fenced

    async def _write(self, script: str, claim: Claim, *args: str | int) -> Reply:
        return await self._connection.run(
            script, keys.shard_of(claim.run.id), claim.run.id, claim.epoch, *args
        )
