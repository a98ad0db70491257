"""The journal of a run: its recorded steps, so that no step is repeated. Claims fence the writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.core.ports.journal import Change, JournalExtent, NewEvent, Removal, announces
from bot.core.ports.queue import Fenced
from bot.core.runs.run import Claim
from bot.store import redis_keys
from bot.store.codec import dump, event_name, ms
from bot.store.connection import Connection
from bot.store.journal_cipher import JournalCipher

SEED_TTL_S = 3600
"""A seeded journal expires after this time, unless the run is started."""
SEED_CHUNK_CHARS = 256 * 1024
"""Approximate size of a journal part that one transition copies, as it blocks others."""


class RedisJournal:
    """The port `bot.core.ports.store.Journal`."""

    def __init__(self, connection: Connection, cipher: JournalCipher) -> None:
        self._connection = connection
        self._cipher = cipher

    async def read(self, run_id: str) -> dict[str, str]:
        stored: dict[str, str] = await self._connection.do(
            self._connection.redis.hgetall(redis_keys.journal(run_id))
        )
        return {name: self._cipher.decrypt(run_id, name, value) for name, value in stored.items()}

    async def extent(self, run_id: str) -> JournalExtent:
        async with self._connection.pipeline() as batch:
            batch.hgetall(redis_keys.journal(run_id))
            batch.hget(redis_keys.run(run_id), "journal_gone")
        stored, gone = batch.results
        size = sum(len(name) + len(value.encode()) for name, value in stored.items())
        return JournalExtent(entries=len(stored), bytes=size, expired=gone is not None)

    async def seed(self, run_id: str, entries: Mapping[str, str]) -> bool:
        shard = redis_keys.shard_of(run_id)
        for part in _parts({name: self._cipher.encrypt(run_id, name, entries[name]) for name in entries}):
            if not await self._connection.run("seed_journal", shard, run_id, ms(SEED_TTL_S), *part):
                return False
        return True

    async def put_if_absent(self, claim: Claim, name: str, value: str) -> str:
        stored: str | None = await self._connection.run(
            "put_if_absent",
            redis_keys.shard_of(claim.run.id),
            claim.run.id,
            claim.epoch,
            name,
            self._encrypted(claim, name, value),
        )
        if stored is None:
            raise Fenced
        return self._cipher.decrypt(claim.run.id, name, stored)

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:
        # Durable: if a failover lost the announcement, the tool could be called twice without asking.
        run = self._connection.run_durably if any(map(announces, changes)) else self._connection.run
        words = words_of(claim, changes, self._cipher)
        shard = redis_keys.shard_of(claim.run.id)
        if not await run("write_journal", shard, claim.run.id, claim.epoch, *words):
            raise Fenced

    def _encrypted(self, claim: Claim, name: str, value: str) -> str:
        return self._cipher.encrypt(claim.run.id, name, value)


def words_of(claim: Claim, changes: Iterable[Change], cipher: JournalCipher) -> Iterator[str | int]:
    """Changes of a run as `scripts/changes.lua` reads them."""
    for change in changes:
        match change:
            case Removal(prefixes):
                yield "remove"
                yield len(prefixes)
                yield from prefixes
            case NewEvent(body, key):
                written = dump(body)
                yield from ("event", event_name(body, written, key), written)
            case name, value:
                yield from ("entry", name, cipher.encrypt(claim.run.id, name, value))


def _parts(entries: Mapping[str, str]) -> Iterator[list[str]]:
    """Names and values in turn, in parts of about `SEED_CHUNK_CHARS`."""
    part: list[str] = []
    size = 0
    for name, value in entries.items():
        part += (name, value)
        size += len(name) + len(value)
        if size >= SEED_CHUNK_CHARS:
            yield part
            part, size = [], 0
    if part:
        yield part
