"""Runs over HTTP: start, list, show, cancel, retry, delete; and the crews that can be started."""

from __future__ import annotations

import uuid

from aiohttp import web

from bot.core.errors import NotFound, Refused
from bot.core.lists import RunFilter
from bot.core.policy import can_decide
from bot.core.ports import Store
from bot.core.retry import retry
from bot.core.run import Run
from bot.surfaces.http.auth import Caller
from bot.surfaces.http.bodies import CancelBody, DeleteQuery, RunsQuery, StartBody
from bot.surfaces.http.operations import Call, reply
from bot.surfaces.http.sight import Sight
from bot.surfaces.http.starts import Starts, checked
from bot.surfaces.http.views import CrewsView, CrewView, RunsView, full, started, summary


class RunRoutes:
    """The handlers of runs."""

    def __init__(self, store: Store, starts: Starts, sight: Sight) -> None:
        self._store = store
        self._sight = sight
        self._starts = starts

    async def crews(self, _: Call[None, None]) -> web.Response:
        crews = await self._store.catalogue.crews()
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
        page = await self._store.runs.page(which)
        caller = call.caller
        seen = [run for run in page.runs if self._sight.of_run(caller, run)]
        waits = await self._store.runs.waits(seen)
        return reply(RunsView(runs=tuple(summary(run, waits.get(run.id)) for run in seen), next=page.next))

    async def run(self, call: Call[None, None]) -> web.Response:
        run = await self._store.runs.get(call.id("run_id"))
        waits = await self._store.runs.waits([run])
        return reply(full(run, await self._store.questions.list(run.id), waits.get(run.id)))

    async def cancel(self, call: Call[CancelBody | None, None]) -> web.Response:
        on_behalf_of = call.body.on_behalf_of if call.body else None
        await self._seen(call.caller, call.id("run_id"))
        run = await self._store.runs.cancel(call.id("run_id"), call.caller.acting(on_behalf_of))
        return reply(full(run, await self._store.questions.list(run.id)))

    async def retry(self, call: Call[None, None]) -> web.Response:
        run, actor = await self._seen(call.caller, call.id("run_id")), call.caller.actor
        if not can_decide(actor, run.cancellers):
            raise Refused("not_allowed", "This run is not yours to try again.")
        key = call.request.headers.get("Idempotency-Key")
        word = str(uuid.uuid4()) if key is None else f"{actor.principal}/{checked(key)}"
        again = await retry(self._store, run, key=word)
        return reply(started(again), 202, {"Location": f"/runs/{again.id}"})

    async def delete(self, call: Call[None, DeleteQuery]) -> web.Response:
        run = await self._store.runs.get(call.id("run_id"))
        if call.query.cancel and not run.status.over:
            try:
                await self._store.runs.cancel(run.id, call.caller.actor)
            except Refused as refused:
                if refused.code != "run_over":  # it ended by itself meanwhile
                    raise
        await self._store.runs.delete(run.id)
        return web.Response(status=204)

    async def _seen(self, caller: Caller, run_id: str) -> Run:
        """The run, for somebody who may know of it. Raises NotFound."""
        run = await self._store.runs.get(run_id)
        if not self._sight.of_run(caller, run):
            raise NotFound("run", run_id)
        return run
