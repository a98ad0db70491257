"""The event log of each run, and the wake-up connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.events.event import UNREADABLE, Body, Event, PublishedEvent, Unknown, parse_body
from bot.core.ports.queue import Fenced
from bot.core.ports.store import Wakeup
from bot.core.runs.run import Claim
from bot.store import redis_keys
from bot.store.codec import dump, event_name
from bot.store.connection import Connection
from bot.store.unreadable import Unreadable

RECONNECT_DELAY_S = 0.2
"""Delay between two attempts to reconnect the wake-up connection."""


WakeupCallback = Callable[[Wakeup | None], None]


class RedisEvents:
    """The port `bot.core.ports.store.Events`."""

    def __init__(self, connection: Connection, on_wakeup: WakeupCallback) -> None:
        """`on_wakeup` is told of each wake-up first, and of the end of each connection by None."""
        self._connection = connection
        self._on_wakeup = on_wakeup

    async def append(self, claim: Claim, event: Body, key: str | None = None) -> Event:
        body = dump(event)
        name = event_name(event, body, key)
        recorded = await self._connection.run(
            "append_event", redis_keys.shard_of(claim.run.id), claim.run.id, claim.epoch, name, body
        )
        if recorded is None:
            raise Fenced
        return Event(run_id=claim.run.id, seq=recorded[0], at=recorded[1], body=event)

    async def read(self, run_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        async with self._connection.pipeline() as batch:
            batch.exists(redis_keys.run(run_id))
            batch.xrange(redis_keys.events(run_id), min=f"{after + 1}-0", count=limit)
        exists, stored = batch.results
        if not exists:
            raise NotFound("run", run_id)
        return read_events(run_id, stored, self._connection.unreadable)

    async def read_many(self, after: Mapping[str, int], limit: int = 500) -> dict[str, list[Event]]:
        async with self._connection.pipeline() as batch:
            for run_id, seq in after.items():
                batch.xrange(redis_keys.events(run_id), min=f"{seq + 1}-0", count=limit)
        pages = zip(after, batch.results, strict=True)
        unreadable = self._connection.unreadable
        return {run_id: read_events(run_id, stored, unreadable) for run_id, stored in pages if stored}

    async def wakeups(self) -> AsyncIterator[Wakeup]:
        while True:
            try:
                async for wakeup in self._listen():
                    self._on_wakeup(wakeup)
                    yield wakeup
            except StoreUnavailable:
                self._on_wakeup(None)
                await asyncio.sleep(RECONNECT_DELAY_S)

    async def _listen(self) -> AsyncIterator[Wakeup]:
        with self._connection.errors:
            async with self._connection.listener(redis_keys.WAKE) as listener:
                yield Wakeup()  # Whatever was published before this connection is lost.
                async for message in listener.messages():
                    yield read_wakeup(message)


def read_wakeup(message: str) -> Wakeup:
    """A message of the channel: topics, and events in the lines after them (`publish` in prelude.lua).

    Lines of another form, which a newer release may write, are left out with all other events: whoever waits
    for the topics reads the store.
    """
    topics, _, lines = message.partition("\n")
    events = [_published(line) for line in lines.split("\n")] if lines else []
    known = tuple(event for event in events if event is not None)
    return Wakeup(tuple(topics.split()), known if len(known) == len(events) else ())


def _published(line: str) -> PublishedEvent | None:
    try:
        run_id, seq, at, body = line.split(" ", 3)
        return PublishedEvent(run_id, int(seq), int(at), body)
    except ValueError:
        return None


def read_events(
    run_id: str, stored: Iterable[tuple[str, Mapping[str, str]]], unreadable: Unreadable
) -> list[Event]:
    """The events of a stream. A damaged one keeps its number, so that there is no gap."""
    return [_read_event(run_id, int(at.partition("-")[0]), fields, unreadable) for at, fields in stored]


def _read_event(run_id: str, seq: int, fields: Mapping[str, str], unreadable: Unreadable) -> Event:
    at = fields.get("at", "")
    when = int(at) if at.isascii() and at.isdigit() else 0
    try:
        return Event(run_id=run_id, seq=seq, at=when, body=parse_body(fields["body"]))
    except (ValueError, LookupError, RecursionError) as error:
        why = f"it is damaged ({type(error).__name__})"
        unreadable.report(UnreadableRecord("event", f"{seq} of run {run_id}", why))
        return Event(run_id=run_id, seq=seq, at=when, body=Unknown(type=UNREADABLE))
