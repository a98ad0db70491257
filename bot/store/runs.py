"""Runs: start, place, cancel, pause."""

from __future__ import annotations

from bot.core import ids
from bot.core.actor import Actor
from bot.core.errors import NotFound, Refused
from bot.core.event import RunCancelled, RunFailed, RunStarted
from bot.core.place import Place
from bot.core.policy import can_decide
from bot.core.run import NewRun, Run, RunError
from bot.store import redis_keys
from bot.store.codec import RUN_FIELDS, RUN_SPEC, dump, new_call, newer_run, read_run
from bot.store.connection import Connection
from bot.store.questions import check_questions


class RunVerbs:
    """The transitions of the port `bot.core.ports.Runs`; its lists are in `bot.store.listing`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(self, new: NewRun) -> tuple[Run, bool]:
        fresh = await self._connection.confirm(
            "start",
            redis_keys.shard_of(new.id),
            new.id,
            new_call(),
            dump(new, include=RUN_SPEC),
            new.crew.name,
            new.requester.principal,
            "1" if new.held else "",
            dump(_started(new)),
            " ".join(place.surface for place in new.followers),
            *_place_words(new.place),
        )
        if fresh == -1:
            raise Refused("run_deleted", "The run that this started has been deleted.")
        return await self.run(new.id), bool(fresh)

    async def run(self, run_id: str) -> Run:
        stored = await self._connection.do(
            self._connection.redis.hmget(redis_keys.run(run_id), list(RUN_FIELDS))
        )
        with self._connection.unreadable.noted():
            run = read_run(run_id, stored)
        if run is None:
            raise NotFound("run", run_id)
        return run

    async def settle_place(self, run_id: str, place: Place) -> Run:
        await self._connection.run(
            "settle_place", redis_keys.shard_of(run_id), run_id, dump(place), place.key, place.group
        )
        return await self.run(run_id)

    async def also_at(self, run_id: str, place: Place) -> None:
        await self._connection.run("also_at", redis_keys.shard_of(run_id), run_id, place.key)

    async def cancel(self, run_id: str, by: Actor) -> Run:
        run = await self.run(run_id)
        if not can_decide(by, run.cancellers):
            raise Refused("not_allowed", "This run is not yours to cancel.")
        await check_questions(self._connection, run_id)
        code = await self._connection.confirm(
            "cancel",
            redis_keys.shard_of(run_id),
            run_id,
            new_call(),
            dump(by),
            dump(RunCancelled(cancelled_by=by.label)),
        )
        match code:
            case "unknown_run":
                raise NotFound("run", run_id)
            case "run_over":
                raise Refused(code, "This run is over already.")
            case "newer":
                raise newer_run(run_id)
        return await self.run(run_id)

    async def fail_held(self, run_id: str, error: RunError) -> bool:
        body = RunFailed(error=error)
        return bool(
            await self._connection.run(
                "fail_held", redis_keys.shard_of(run_id), run_id, new_call(), dump(error), dump(body)
            )
        )

    async def pause(self, tenant: str, reason: str | None) -> None:
        await self._connection.each_shard("pause", tenant, "" if reason is None else "1", reason or "")

    async def paused(self, tenant: str) -> str | None:
        stored: str | None = await self._connection.do(
            self._connection.redis.hget(redis_keys.paused(0), tenant)
        )
        return stored


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
