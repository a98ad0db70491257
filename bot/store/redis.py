"""The store: all verbs of the ports on one Redis connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bot.core.errors import StoreUnavailable
from bot.core.event import RunFailed
from bot.core.run import RunError
from bot.store import redis_keys
from bot.store.catalogue import CatalogueVerbs
from bot.store.codec import dump, ms, newer_run
from bot.store.connection import Connection, connect
from bot.store.deletion import BARRED, DeletionVerbs
from bot.store.deliveries import DeliveryVerbs
from bot.store.feed import EventVerbs
from bot.store.health import HealthVerbs
from bot.store.inbox import InboxVerbs
from bot.store.journal import JournalVerbs
from bot.store.keyring import KeyringVerbs
from bot.store.listing import Listing
from bot.store.memory import MemoryVerbs
from bot.store.questions import QuestionVerbs
from bot.store.runs import RunVerbs
from bot.store.sealing import Seals
from bot.store.timers import Timers
from bot.store.waits import WaitVerbs
from bot.store.webhooks import WebhookVerbs
from bot.store.witness import ALONE, Witnessing
from bot.store.work import RETRY_AFTER, WorkVerbs

RETENTION = 30 * 24 * 3600
"""Seconds after which a run that is over is forgotten, unless the settings say otherwise."""
JOURNAL = 7 * 24 * 3600
"""Seconds after which the journal of a run that is over is forgotten, likewise."""
BATCH = 100
"""Leases and old runs that one tick handles in each shard."""


class RedisStore(
    CatalogueVerbs,
    RunVerbs,
    DeletionVerbs,
    Listing,
    QuestionVerbs,
    EventVerbs,
    WorkVerbs,
    WaitVerbs,
    JournalVerbs,
    DeliveryVerbs,
    MemoryVerbs,
    InboxVerbs,
    KeyringVerbs,
    WebhookVerbs,
    HealthVerbs,
):
    """The port `bot.core.ports.Store` on Redis or Valkey. Each base class has verbs of its own."""

    def __init__(
        self,
        connection: Connection,
        retention: float = RETENTION,
        journal: float = JOURNAL,
        seals: Seals | None = None,
        retry_after: float = RETRY_AFTER,
    ) -> None:
        CatalogueVerbs.__init__(self, connection)
        DeletionVerbs.__init__(self, connection)
        MemoryVerbs.__init__(self, connection)
        WorkVerbs.__init__(self, connection, retry_after)
        JournalVerbs.__init__(self, connection, seals or Seals())
        self._retention = retention
        self._journal_kept = journal
        self._timers = Timers(connection)

    async def tick(self, given_up: RunError) -> int:
        body = dump(RunFailed(error=given_up))
        ages = ms(self._retention), ms(self._journal_kept), ms(self._retry_after), ms(BARRED)
        changed = await self._timers.ring()
        failure: StoreUnavailable | None = None
        for shard in range(redis_keys.SHARDS):
            try:
                ticked = await self._connection.run(
                    "tick", shard, dump(given_up), body, ages[0], BATCH, *ages[1:]
                )
            except StoreUnavailable as error:  # what is wrong with one shard doesn't stop the others
                failure = error
                continue
            changed += int(ticked[0])
            for run_id in ticked[1]:
                self._connection.unreadable.note(newer_run(run_id))
        if failure is not None:
            raise failure
        return changed

    async def due(self, within: float) -> float:
        ages = ms(self._retention), ms(self._journal_kept)
        soonest: list[int] = await self._connection.each_shard("due", ages[0], ms(within), ages[1])
        return min(*soonest, await self._timers.due(ms(within))) / 1000

    async def now(self) -> int:
        return await self._connection.now()


@asynccontextmanager
async def open_store(
    url: str,
    retention: float = RETENTION,
    witnessing: Witnessing = ALONE,
    *,
    journal: float = JOURNAL,
    journal_keys: Sequence[bytes] = (),
    retry_after: float = RETRY_AFTER,
) -> AsyncIterator[RedisStore]:
    """The store at `url`, connected and checked, closed when the block ends."""
    connection = await connect(url, witnessing)
    try:
        yield RedisStore(connection, retention, journal, Seals(journal_keys), retry_after)
    finally:
        await connection.close()
