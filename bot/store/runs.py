"""Runs: start, read, list, cancel."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from bot.core import events, ids
from bot.core.errors import NotFound, Refused
from bot.core.model import Actor, NewRun, Place, Run, RunError, RunFilter
from bot.store import keys
from bot.store.connection import Connection

#: The fields of a run that are stored apart from its specification, as JSON or as they are.
_JSON_FIELDS = ("place", "error", "cancelled_by")
_PLAIN_FIELDS = ("status", "created_at", "started_at", "finished_at", "result", "seq", "epoch", "held")
FIELDS = ("spec", *_JSON_FIELDS, *_PLAIN_FIELDS)
_SPEC = {"id", "crew", "inputs", "requester", "approvers", "cancellers", "retry_of"}


class RunVerbs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(self, new: NewRun) -> tuple[Run, bool]:
        place = new.place
        fresh = await self._connection.run(
            "start",
            keys.shard_of(new.id),
            new.id,
            dump(new, include=_SPEC),
            new.crew.name,
            new.requester.principal,
            dump(place),
            place.key if place else "",
            place.surface if place else "",
            place.tenant if place else "",
            place.group if place else "",
            "1" if new.held else "",
            dump(_started(new)),
        )
        return await self.run(new.id), bool(fresh)

    async def run(self, run_id: str) -> Run:
        stored = await self._connection.do(self._connection.redis.hmget(keys.run(run_id), list(FIELDS)))
        if (run := read_run(stored)) is None:
            raise NotFound("run", run_id)
        return run

    async def runs(self, which: RunFilter) -> list[Run]:
        newest = _cursor_time(which.before)
        async with self._connection.pipeline() as batch:
            for shard in range(keys.SHARDS):
                batch.zrange(_index(shard, which), newest, "-inf", desc=True, byscore=True, offset=0, num=1000)
        found = await self.read([run_id for ids_ in batch.results for run_id in ids_])
        found.sort(key=_position, reverse=True)
        return [run for run in found if _fits(run, which)][: which.limit]

    async def runs_at(self, place: Place) -> list[Run]:
        async with self._connection.pipeline() as batch:
            for shard in range(keys.SHARDS):
                batch.zrange(f"{keys.base(shard)}:place:{place.key}", 0, -1)
        found = await self.read([run_id for ids_ in batch.results for run_id in ids_])
        return sorted(found, key=_position)

    async def find_run(self, prefix: str) -> list[Run]:
        if len(prefix) < 4:
            return []
        async with self._connection.pipeline() as batch:
            for shard in range(keys.SHARDS):
                batch.zrange(f"{keys.base(shard)}:runs", 0, -1, desc=True)
        matching = [i for ids_ in batch.results for i in ids_ if i.startswith(prefix.lower())]
        return await self.read(matching[:5])

    async def read(self, run_ids: list[str]) -> list[Run]:
        """The runs with these ids, those that are gone left out."""
        if not run_ids:
            return []
        async with self._connection.pipeline() as batch:
            for run_id in run_ids:
                batch.hmget(keys.run(run_id), list(FIELDS))
        return [run for stored in batch.results if (run := read_run(stored)) is not None]

    async def settle_place(self, run_id: str, place: Place) -> Run:
        await self._connection.run("settle_place", keys.shard_of(run_id), run_id, dump(place), place.key)
        return await self.run(run_id)

    async def cancel(self, run_id: str, by: Actor) -> Run:
        body = events.RunCancelled(cancelled_by=by.label)
        code = await self._connection.run(
            "cancel", keys.shard_of(run_id), run_id, with_principals(by), dump(by), dump(body)
        )
        match code:
            case "unknown_run":
                raise NotFound("run", run_id)
            case "run_over":
                raise Refused(code, "This run is over already.")
            case "not_allowed":
                raise Refused(code, "This run is not yours to cancel.")
        return await self.run(run_id)

    async def fail_held(self, run_id: str, error: RunError) -> bool:
        body = events.RunFailed(error=error)
        return bool(
            await self._connection.run("fail_held", keys.shard_of(run_id), run_id, dump(error), dump(body))
        )

    async def pause(self, tenant: str, reason: str | None) -> None:
        async with self._connection.pipeline() as batch:
            for shard in range(keys.SHARDS):
                if reason is None:
                    batch.hdel(f"{keys.base(shard)}:paused", tenant)
                else:
                    batch.hset(f"{keys.base(shard)}:paused", tenant, reason)

    async def paused(self, tenant: str) -> str | None:
        stored: str | None = await self._connection.do(
            self._connection.redis.hget(f"{keys.base(0)}:paused", tenant)
        )
        return stored


def dump(value: BaseModel | None, **how: Any) -> str:
    """A value as JSON; nothing as an empty string, which is how scripts see it."""
    return "" if value is None else value.model_dump_json(**how)


def with_principals(actor: Actor) -> str:
    """An actor as the scripts' `may` reads it."""
    return json.dumps(rule_view(actor))


def rule_view(actor: Actor) -> dict[str, Any]:
    return {"admin": actor.admin, "standing": actor.standing, "principals": actor.principals}



def read_run(stored: list[str | None]) -> Run | None:
    """A run from its stored fields (FIELDS); None if there is none."""
    fields = dict(zip(FIELDS, stored, strict=True))
    spec = fields.pop("spec")
    if spec is None:
        return None
    document = json.loads(spec)
    for name, value in fields.items():
        if value is not None:
            document[name] = json.loads(value) if name in _JSON_FIELDS else value
    return Run.model_validate(document)


def _started(new: NewRun) -> events.RunStarted:
    return events.RunStarted(
        crew_id=ids.part_id(new.id, "crew"),
        crew=new.crew.name,
        title=new.crew.title,
        inputs=new.inputs,
        requester=new.requester.label,
    )


def _index(shard: int, which: RunFilter) -> str:
    base = keys.base(shard)
    if which.requester is not None:
        return f"{base}:runs:by:{which.requester}"
    if which.group is not None:
        return f"{base}:runs:in:{which.group}"
    return f"{base}:runs"


def cursor(run: Run) -> str:
    """Where a list goes on after this run."""
    return f"{run.created_at}:{run.id}"


def _cursor_time(before: str | None) -> str:
    return before.partition(":")[0] if before else "+inf"


def _position(run: Run) -> tuple[int, str]:
    return run.created_at, run.id


def _fits(run: Run, which: RunFilter) -> bool:
    at, _, last = (which.before or "").partition(":")
    return (
        (which.requester is None or run.requester.principal == which.requester)
        and (which.group is None or (run.place is not None and run.place.group == which.group))
        and (which.crew is None or run.crew.name == which.crew)
        and (which.active is None or run.status.over is not which.active)
        and (not at or _position(run) < (int(at), last))
    )
