"""The handlers of runs (start, list, show, cancel, retry, delete) and of crews."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence

from aiohttp import web

from bot.core import ids, starting
from bot.core.errors import NotFound, Refused
from bot.core.events.endpoints import StartUrls
from bot.core.events.event import encode
from bot.core.people.actor import Actor, Membership
from bot.core.people.policy import check_allowed
from bot.core.ports.lists import RunFilter
from bot.core.ports.store import Store
from bot.core.retry import retry
from bot.core.runs.crew import Crew, CrewProblem
from bot.core.runs.place import Place
from bot.core.runs.run import NewRun, Run
from bot.core.starting import can_start
from bot.surfaces.http.bodies import CancelBody, DeleteQuery, RunsQuery, StartBody
from bot.surfaces.http.callers import Caller, Visibility
from bot.surfaces.http.operations import IDEMPOTENCY_KEY_TTL_S, RequestContext, reply
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.questions.question_views import QuestionView, full
from bot.surfaces.http.questions.questions import QuestionViews
from bot.surfaces.http.views import CrewProblemView, CrewsView, CrewView, RunsView, started, summary


class EncodedCrews:
    """The lists of a catalogue, encoded once for each kind of person: guests see what admits them."""

    def __init__(self) -> None:
        self._crews: Mapping[str, Crew] = {}
        self._problems: tuple[CrewProblem, ...] = ()
        self._encoded: dict[tuple[Membership, bool], bytes] = {}

    def of(self, crews: Mapping[str, Crew], problems: tuple[CrewProblem, ...], person: Actor | None) -> bytes:
        """The list for this person; None: for a program, or the local user."""
        if crews is not self._crews or problems is not self._problems:
            self._crews, self._problems, self._encoded = crews, problems, {}
        kind = (Membership.MEMBER, True) if person is None else (person.membership, person.admin)
        if kind not in self._encoded:
            known = [crew for crew in crews.values() if person is None or can_start(crew, person)]
            is_told = kind[1] or kind[0] is Membership.MEMBER
            self._encoded[kind] = _encode_crews(known, problems if is_told else ())
        return self._encoded[kind]


def _encode_crews(crews: Sequence[Crew], problems: Sequence[CrewProblem]) -> bytes:
    view = CrewsView(
        crews=tuple(map(CrewView.of, crews)),
        problems=tuple(
            CrewProblemView(**each.model_dump(exclude={"starting"})) for each in problems if not each.starting
        ),
        starting=tuple(each.name for each in problems if each.starting),
    )
    return encode(view.model_dump(mode="json"))


class RunRoutes:
    """The handlers of runs."""

    def __init__(self, store: Store, starts: Starts, visibility: Visibility, views: QuestionViews) -> None:
        self._store = store
        self._views = views
        self._visibility = visibility
        self._starts = starts
        self._encoded_crews = EncodedCrews()

    async def crews(self, context: RequestContext[None, None]) -> web.Response:
        catalogue, caller = self._store.catalogue, context.caller
        crews, problems = await catalogue.crews(), await catalogue.problems(starting=True)
        body = self._encoded_crews.of(crews, problems, caller.actor if caller.is_person else None)
        return web.Response(body=body, content_type="application/json")

    async def start(self, context: RequestContext[StartBody, None]) -> web.Response:
        actor = context.caller.actor_on_behalf_of(context.body.on_behalf_of)
        run = await self._starts.start(context.body, actor, context.idempotency_key)
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
        return reply(full(run, await self._questions(context.caller, run), waits.get(run.id)))

    async def cancel(self, context: RequestContext[CancelBody | None, None]) -> web.Response:
        on_behalf_of = context.body.on_behalf_of if context.body else None
        await self._seen(context.caller, context.id("run_id"))
        run = await self._store.runs.cancel(
            context.id("run_id"), context.caller.actor_on_behalf_of(on_behalf_of)
        )
        return reply(full(run, await self._questions(context.caller, run)))

    async def retry(self, context: RequestContext[None, None]) -> web.Response:
        run, actor = await self._seen(context.caller, context.id("run_id")), context.caller.actor
        people = await self._store.directory.people(run.cancellers, [actor])
        check_allowed(actor, run.cancellers, people, "This run is not yours to try again.")
        key = context.idempotency_key
        word = str(uuid.uuid4()) if key is None else f"{actor.principal}/{key}"
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

    async def _questions(self, caller: Caller, run: Run) -> Sequence[QuestionView]:
        return await self._views.of(caller, await self._store.questions.list(run.id))

    async def _seen(self, caller: Caller, run_id: str) -> Run:
        """The run, if the caller may view it. Raises NotFound."""
        run = await self._store.runs.get(run_id)
        if not self._visibility.of_run(caller, run):
            raise NotFound("run", run_id)
        return run


class Starts:
    """Starts runs, idempotent by `Idempotency-Key`."""

    def __init__(self, store: Store, webhook_urls: StartUrls) -> None:
        self._store = store
        self._webhook_urls = webhook_urls

    async def start(self, body: StartBody, actor: Actor, idempotency_key: str | None) -> Run:
        """Start the run, or return the one that this caller started with the same key.

        Raises NotFound (unknown_crew), NoWorker, InvalidInputs, Refused (not_admitted, run_deleted), Problem
        (idempotency_conflict, webhook_urls_off, invalid_request).
        """
        if idempotency_key is None:
            return await starting.start(self._store, await self._plan(body, actor, str(uuid.uuid4())))
        receipt = _receipt(actor, idempotency_key)
        kept = await self._store.key_values.get(receipt)
        if kept is None:
            # Validated before the key is stored, so that a refused request can be corrected and sent again.
            await self._plan(body, actor, receipt)
            # Random, so that the same key starts another run after it has expired.
            kept = await self._store.key_values.set_if_absent(
                receipt, json.dumps([str(uuid.uuid4()), _digest(body)]), IDEMPOTENCY_KEY_TTL_S
            )
        word, digest = json.loads(kept)
        if digest != _digest(body):
            raise Problem(
                "idempotency_conflict", "This Idempotency-Key has started another run, with another body."
            )
        return await self._same(body, actor, word)

    async def _same(self, body: StartBody, actor: Actor, word: str) -> Run:
        """The run that belongs to `word`; started now if an earlier request stored only the key."""
        try:
            return await self._store.runs.get(ids.run_id(f"http:{word}"))
        except NotFound:
            return await starting.start(self._store, await self._plan(body, actor, word))

    async def _plan(self, body: StartBody, actor: Actor, word: str) -> NewRun:
        crew = await starting.crew_named(self._store.catalogue, body.crew)
        followers = self._followers(body.webhook_url)
        return starting.plan(crew, body.inputs, actor, key=f"http:{word}", followers=followers)

    def _followers(self, url: str | None) -> tuple[Place, ...]:
        if url is None:
            return ()
        if not self._webhook_urls.allowed:
            raise Problem(
                "webhook_urls_off", "This server sends no webhooks to addresses that come with a start."
            )
        try:
            return (self._webhook_urls.follower(url),)
        except ValueError as error:
            why = f"{str(error)[:1].upper()}{str(error)[1:]}."
            raise Problem("invalid_request", why, errors=[("webhook_url", why)]) from None


def _receipt(actor: Actor, key: str) -> str:
    return "start:" + hashlib.sha256(encode([actor.principal, key])).hexdigest()


def _digest(body: StartBody) -> str:
    canonical = json.dumps(body.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
