"""The handlers of runs (start, list, show, cancel, retry, delete) and of crews."""

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
from bot.surfaces.http.operations import RequestContext, reply
from bot.surfaces.http.starts import Starts, checked
from bot.surfaces.http.views import CrewsView, CrewView, RunsView, full, started, summary
from bot.surfaces.http.visibility import Visibility


class RunRoutes:
    """The handlers of runs."""

    def __init__(self, store: Store, starts: Starts, visibility: Visibility) -> None:
        self._store = store
        self._visibility = visibility
        self._starts = starts

    async def crews(self, _: RequestContext[None, None]) -> web.Response:
        crews = await self._store.catalogue.crews()
        return reply(CrewsView(crews=tuple(CrewView.of(crew) for crew in crews.values())))

    async def start(self, context: RequestContext[StartBody, None]) -> web.Response:
        actor = context.caller.acting(context.body.on_behalf_of)
        run = await self._starts.start(context.body, actor, context.request.headers.get("Idempotency-Key"))
        return reply(started(run), 202, {"Location": f"/runs/{run.id}"})

    async def runs(self, context: RequestContext[None, RunsQuery]) -> web.Response:
        wanted = context.query
        which = RunFilter(
            crew=wanted.crew,
            status=wanted.status,
            active=wanted.active,
            limit=wanted.limit,
            before=wanted.cursor,
        )
        page = await self._store.runs.page(which)
        caller = context.caller
        seen = [run for run in page.runs if self._visibility.of_run(caller, run)]
        waits = await self._store.runs.waits(seen)
        return reply(RunsView(runs=tuple(summary(run, waits.get(run.id)) for run in seen), next=page.next))

    async def run(self, context: RequestContext[None, None]) -> web.Response:
        run = await self._store.runs.get(context.id("run_id"))
        waits = await self._store.runs.waits([run])
        return reply(full(run, await self._store.questions.list(run.id), waits.get(run.id)))

    async def cancel(self, context: RequestContext[CancelBody | None, None]) -> web.Response:
        on_behalf_of = context.body.on_behalf_of if context.body else None
        await self._seen(context.caller, context.id("run_id"))
        run = await self._store.runs.cancel(context.id("run_id"), context.caller.acting(on_behalf_of))
        return reply(full(run, await self._store.questions.list(run.id)))

    async def retry(self, context: RequestContext[None, None]) -> web.Response:
        run, actor = await self._seen(context.caller, context.id("run_id")), context.caller.actor
        if not can_decide(actor, run.cancellers):
            raise Refused("not_allowed", "This run is not yours to try again.")
        key = context.request.headers.get("Idempotency-Key")
        word = str(uuid.uuid4()) if key is None else f"{actor.principal}/{checked(key)}"
        again = await retry(self._store, run, key=word)
        return reply(started(again), 202, {"Location": f"/runs/{again.id}"})

    async def delete(self, context: RequestContext[None, DeleteQuery]) -> web.Response:
        run = await self._store.runs.get(context.id("run_id"))
        if context.query.cancel and not run.status.over:
            try:
                await self._store.runs.cancel(run.id, context.caller.actor)
            except Refused as refused:
                if refused.code != "run_over":  # it ended in the meantime
                    raise
        await self._store.runs.delete(run.id)
        return web.Response(status=204)

    async def _seen(self, caller: Caller, run_id: str) -> Run:
        """The run, if the caller may view it. Raises NotFound."""
        run = await self._store.runs.get(run_id)
        if not self._visibility.of_run(caller, run):
            raise NotFound("run", run_id)
        return run
