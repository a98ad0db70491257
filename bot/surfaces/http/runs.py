"""Runs over HTTP: start, list, show, cancel; and the crews that can be started."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from bot.core import rules
from bot.core.lists import RunFilter
from bot.core.ports import Catalogue, Questions, Runs
from bot.surfaces.http.bodies import CancelBody, RunsQuery, StartBody
from bot.surfaces.http.operations import Call, reply
from bot.surfaces.http.starts import Starts, StartStore
from bot.surfaces.http.views import CrewsView, CrewView, RunsView, full, started, summary


class RunsStore(StartStore, Catalogue, Runs, Questions, Protocol):
    """What is needed here."""


class RunRoutes:
    """The handlers of runs."""

    def __init__(self, store: RunsStore, starts: Starts) -> None:
        self._store = store
        self._starts = starts

    async def crews(self, _: Call[None, None]) -> web.Response:
        crews = await self._store.crews()
        return reply(CrewsView(crews=tuple(CrewView.of(crew) for crew in crews.values())))

    async def start(self, call: Call[StartBody, None]) -> web.Response:
        actor = call.caller.acting(call.body.on_behalf_of)
        run = await self._starts.start(call.body, actor, call.request.headers.get("Idempotency-Key"))
        return reply(started(run), 202, {"Location": f"/runs/{run.id}"})

    async def runs(self, call: Call[None, RunsQuery]) -> web.Response:
        wanted = call.query
        which = RunFilter(
            crew=wanted.crew,
            status=wanted.status,
            active=wanted.active,
            limit=wanted.limit,
            before=wanted.cursor,
        )
        page = await self._store.page_of_runs(which)
        caller = call.caller
        seen = [run for run in page.runs if not caller.limited or rules.sees(caller.actor, run)]
        waits = await self._store.waits(seen)
        return reply(RunsView(runs=tuple(summary(run, waits.get(run.id)) for run in seen), next=page.next))

    async def run(self, call: Call[None, None]) -> web.Response:
        run = await self._store.run(call.id("run_id"))
        waits = await self._store.waits([run])
        return reply(full(run, await self._store.questions(run.id), waits.get(run.id)))

    async def cancel(self, call: Call[CancelBody | None, None]) -> web.Response:
        on_behalf_of = call.body.on_behalf_of if call.body else None
        run = await self._store.cancel(call.id("run_id"), call.caller.acting(on_behalf_of))
        return reply(full(run, await self._store.questions(run.id)))
