"""Runs: start, place, cancel, pause."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from bot.core import ids
from bot.core.errors import NotFound, Refused, Replayed
from bot.core.events.event import Event, RunCancelled, RunFailed, RunStarted
from bot.core.people.actor import Actor
from bot.core.people.policy import check_allowed
from bot.core.ports.lists import RunFilter, RunPage
from bot.core.ports.store import Catalogue
from bot.core.runs.nonce import Nonce
from bot.core.runs.place import Place
from bot.core.runs.run import NewRun, Run, RunError
from bot.core.runs.waiting import Wait
from bot.store import redis_keys
from bot.store.codec import RUN_FIELDS, SentRun, dump, ms, new_call, newer_run
from bot.store.connection import Connection
from bot.store.directory import RedisDirectory
from bot.store.events import read_events
from bot.store.questions import check_questions
from bot.store.references import References
from bot.store.run_lists import RunLists
from bot.store.run_reader import RunReader
from bot.store.waits import Waits

REPEATED_DELETE_TTL_S = 60
"""Seconds within which a call that is sent again is known, since nothing of the run is left to know it by."""
MAX_EVENTS = 1000
"""Events that are read at once."""
TOMBSTONE_TTL_S = 7 * 24 * 3600
"""Seconds for which a deleted run is not started again by what started it: longer than an `Idempotency-Key`
or a delivery of Slack's stands for its run."""
REPLAYED, DELETED = -2, -1
"""What `start.lua` returns in place of whether the run is new."""


class RedisRuns:
    """The port `bot.core.ports.store.Runs`."""

    def __init__(self, connection: Connection, directory: RedisDirectory, catalogue: Catalogue) -> None:
        self._connection = connection
        self._directory = directory
        self._reader = RunReader(connection)
        self._lists = RunLists(connection)
        self._waits = Waits(connection, catalogue)
        self._references = References(connection)

    async def start(self, new: NewRun, nonce: Nonce | None = None) -> tuple[Run, bool]:
        sent = SentRun(new)
        fresh, stored = await self._connection.run_durably_and_read(
            "start",
            redis_keys.shard_of(new.id),
            new.id,
            new_call(),
            sent.spec,
            new.crew.name,
            new.requester.principal,
            "1" if new.awaiting_thread else "",
            dump(_started(new)),
            " ".join(place.surface for place in new.followers),
            *(_nonce_words(nonce) if nonce else ("", "", "")),
            *_place_words(new.place),
            then=self._reader.command(new.id),
        )
        if fresh == REPLAYED:
            raise Replayed
        if fresh == DELETED:
            raise Refused("run_deleted", "The run that this started has been deleted.")
        return self._reader.parse(new.id, stored, sent), bool(fresh)

    async def use_nonce(self, run_id: str, nonce: Nonce) -> bool:
        shard = redis_keys.shard_of(run_id)
        return bool(await self._connection.run("use_nonce", shard, *_nonce_words(nonce)))

    async def get(self, run_id: str) -> Run:
        return await self._reader.get(run_id)

    async def read(self, run_ids: Sequence[str]) -> builtins.list[Run]:
        return await self._reader.read(run_ids)

    async def list(self, which: RunFilter) -> builtins.list[Run]:
        return (await self.page(which)).runs

    async def page(self, which: RunFilter) -> RunPage:
        return await self._lists.page(which)

    async def at(self, place: Place) -> builtins.list[Run]:
        return await self._lists.at(place)

    async def find(self, prefix: str) -> builtins.list[Run]:
        return await self._lists.find(prefix)

    async def waits(self, runs: Sequence[Run]) -> dict[str, Wait]:
        return await self._waits.of(runs)

    async def events_after(self, run_id: str, after: int) -> tuple[builtins.list[Event], Run]:
        async with self._connection.pipeline() as batch:
            batch.xrange(redis_keys.events(run_id), min=f"{after + 1}-0", count=MAX_EVENTS)
            batch.hmget(redis_keys.run(run_id), list(RUN_FIELDS))
        events, run = batch.results
        return read_events(run_id, events, self._connection.unreadable), self._reader.parse(run_id, run)

    async def add_place(self, run_id: str, place: Place) -> None:
        await self._connection.run("add_place", redis_keys.shard_of(run_id), run_id, place.key)

    async def cancel(self, run_id: str, by: Actor) -> Run:
        run = await self.get(run_id)
        people = await self._directory.people(run.cancellers, [by])
        check_allowed(by, run.cancellers, people, "This run is not yours to cancel.")
        await check_questions(self._connection, run_id)
        code = await self._connection.run_durably(
            "cancel",
            redis_keys.shard_of(run_id),
            run_id,
            new_call(),
            dump(by.verified),
            dump(RunCancelled(cancelled_by=by.label)),
        )
        match code:
            case "unknown_run":
                raise NotFound("run", run_id)
            case "run_over":
                raise Refused(code, "This run is over already.")
            case "newer":
                raise newer_run(run_id)
        return await self.get(run_id)

    async def delete(self, run_id: str) -> None:
        await check_questions(self._connection, run_id)
        crew = await self._connection.do(self._connection.redis.hget(redis_keys.run(run_id), "crew"))
        tracked = await self._references.tracked(run_id)
        code = await self._connection.run(
            "delete",
            redis_keys.shard_of(run_id),
            run_id,
            new_call(),
            ms(REPEATED_DELETE_TTL_S),
            ms(TOMBSTONE_TTL_S),
        )
        if code == "unknown_run":
            raise NotFound("run", run_id)
        if code == "run_live":
            raise Refused(code, "This run is not over: cancel it first.")
        if code == "newer":
            raise newer_run(run_id)
        await self._references.remove(run_id, tracked)
        if crew is not None:  # The place of one whose worker died; it is in the shard of the crew's name.
            await self._connection.do(self._connection.redis.hdel(redis_keys.slots(crew), run_id))

    async def fail_unplaced(self, run_id: str, error: RunError) -> bool:
        body = RunFailed(error=error)
        return bool(
            await self._connection.run(
                "fail_unplaced", redis_keys.shard_of(run_id), run_id, new_call(), dump(error), dump(body)
            )
        )

    async def pause_tenant(self, tenant: str, reason: str | None) -> None:
        await self._connection.each_shard("pause_tenant", tenant, "" if reason is None else "1", reason or "")

    async def pause_reason(self, tenant: str) -> str | None:
        stored: str | None = await self._connection.do(
            self._connection.redis.hget(redis_keys.paused(0), tenant)
        )
        return stored


def _nonce_words(nonce: Nonce) -> tuple[str | float, ...]:
    return nonce.name, nonce.arrival, ms(nonce.ttl_s)


def _place_words(place: Place | None) -> tuple[str, ...]:
    if place is None:
        return ()
    return dump(place), place.key, place.surface, place.tenant, place.group


def _started(new: NewRun) -> RunStarted:
    return RunStarted(
        crew_id=ids.part_id(new.id, "crew"),
        crew=new.crew.name,
        title=new.crew.title,
        inputs=new.inputs,
        requester=new.requester.label,
    )
