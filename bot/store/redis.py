"""The store on Redis or Valkey, composed of its components."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.core.ports.store import Store
from bot.store.api_keys import RedisApiKeys
from bot.store.catalogue import RedisCatalogue
from bot.store.clock import ClockSettings, RedisClock
from bot.store.connection import Connection, connect
from bot.store.directory import RedisDirectory
from bot.store.events import RedisEvents
from bot.store.files import RedisFiles
from bot.store.health import RedisHealth
from bot.store.inbox import RedisInbox
from bot.store.journal import RedisJournal
from bot.store.journal_cipher import JournalCipher
from bot.store.key_values import RedisKeyValues
from bot.store.outbox import RedisOutbox
from bot.store.questions import RedisQuestions
from bot.store.queue import RedisQueue
from bot.store.runs import RedisRuns
from bot.store.webhooks import RedisWebhooks
from bot.store.write_concern import DEFAULT_WRITE_CONCERN, WriteConcern

DEFAULT_CLOCK_SETTINGS = ClockSettings()


@dataclass(frozen=True)
class RedisStore(Store):
    """The store, and the connection that its components share."""

    connection: Connection


def compose(
    connection: Connection, clock: ClockSettings = DEFAULT_CLOCK_SETTINGS, cipher: JournalCipher | None = None
) -> RedisStore:
    """The store on a connection that is open."""
    directory, catalogue = RedisDirectory(connection), RedisCatalogue(connection)
    cipher = cipher or JournalCipher()
    return RedisStore(
        connection=connection,
        catalogue=catalogue,
        runs=RedisRuns(connection, directory, catalogue),
        questions=RedisQuestions(connection, directory),
        directory=directory,
        events=RedisEvents(connection, catalogue.on_wakeup),
        queue=RedisQueue(connection, cipher, clock.retry_after),
        journal=RedisJournal(connection, cipher),
        files=RedisFiles(connection, cipher),
        clock=RedisClock(connection, clock),
        outbox=RedisOutbox(connection),
        key_values=RedisKeyValues(connection),
        inbox=RedisInbox(connection),
        api_keys=RedisApiKeys(connection),
        webhooks=RedisWebhooks(connection),
        health=RedisHealth(connection),
    )


@asynccontextmanager
async def open_store(
    url: str,
    clock: ClockSettings = DEFAULT_CLOCK_SETTINGS,
    *,
    write_concern: WriteConcern = DEFAULT_WRITE_CONCERN,
    journal_keys: Sequence[bytes] = (),
) -> AsyncIterator[RedisStore]:
    """The store at `url`, connected and checked, closed when the block ends."""
    connection = await connect(url, write_concern)
    try:
        yield compose(connection, clock, JournalCipher(journal_keys))
    finally:
        await connection.close()
