"""The handlers of questions: list, show, answer, record."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from aiohttp import web

from bot.core.events.event import encode
from bot.core.people.actor import Actor
from bot.core.people.api_keys import Scope
from bot.core.people.identities import UNKNOWN, People, names_of
from bot.core.people.policy import ANYONE, Policy, can_decide
from bot.core.ports.lists import QuestionPage
from bot.core.ports.store import Prefetched, Store
from bot.core.questions.question import Question
from bot.surfaces.http.bodies import AnswerBody, InputBody, QuestionsQuery, ReadReceiptBody
from bot.surfaces.http.callers import Caller, Visibility
from bot.surfaces.http.operations import IDEMPOTENCY_KEY_TTL_S, RequestContext, reply
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.questions.answers import Answers
from bot.surfaces.http.questions.question_views import QuestionsView, QuestionView
from bot.surfaces.http.questions.record_views import RecordView

NOBODY = Policy(deciders=())


class QuestionViews:
    """Questions as their viewers see them, with what these may do."""

    def __init__(self, store: Store, visibility: Visibility) -> None:
        self._store = store
        self._visibility = visibility

    async def of(self, caller: Caller, questions: Sequence[Question]) -> tuple[QuestionView, ...]:
        """The views of these questions. Live groups are read once for each set of them."""
        if not questions:
            return ()
        viewer = (await self._visibility.recognised(caller)).viewer
        known: dict[frozenset[str], People] = {frozenset(): UNKNOWN}
        for question in questions:
            groups = question.policy.live_groups
            if groups not in known:
                known[groups] = await self._store.directory.people(question.policy, (caller.actor,))
        return tuple(
            QuestionView.of(each, viewer, known[each.policy.live_groups], answers=caller.allows(Scope.ANSWER))
            for each in questions
        )


class QuestionRoutes:
    """The handlers of questions."""

    def __init__(self, store: Store, answers: Answers, visibility: Visibility, views: QuestionViews) -> None:
        self._store = store
        self._answers = answers
        self._visibility = visibility
        self._views = views

    async def questions(self, context: RequestContext[None, QuestionsQuery]) -> web.Response:
        page = await self._page(context)
        return reply(
            QuestionsView(questions=await self._views.of(context.caller, page.questions), next=page.next)
        )

    async def _page(self, context: RequestContext[None, QuestionsQuery]) -> QuestionPage:
        query, listed = context.query, self._store.questions.open_page
        if not (query.mine or context.caller.is_person):
            return await listed(query.limit, after=query.cursor)
        if not context.caller.allows(Scope.ANSWER):
            return QuestionPage([], None)
        actor = (await self._visibility.recognised(context.caller)).viewer
        deciders = () if actor.admin else (*sorted(names_of(actor)), ANYONE)
        page = await listed(query.limit, deciders, query.cursor)
        return QuestionPage([each for each in page.questions if can_decide(actor, each.policy)], page.next)

    async def question(self, context: RequestContext[None, None]) -> web.Response:
        question = await self._answers.find(context.caller, context.id("question_id"))
        [view] = await self._views.of(context.caller, [question])
        return reply(view)

    async def record(self, context: RequestContext[None, None]) -> web.Response:
        question = await self._answers.find(context.caller, context.id("question_id"))
        record = await self._store.questions.record(question.run_id, question.id)
        # Identities only: groups may have to be read from the platform.
        people = await self._store.directory.people(NOBODY, [each.actor for each in record.responses])
        return reply(RecordView.of(record, people))

    async def opened(self, context: RequestContext[ReadReceiptBody, None]) -> web.Response:
        caller = context.caller
        if caller.key is not None and caller.session is None:
            raise Problem("not_allowed", "Only people can open a question; a key reads it.")
        question = await self._answers.find(caller, context.id("question_id"))
        seen = context.body.digest
        if seen != question.digest and not await self._was_shown(question, seen):
            raise Problem("stale", "No version of this question has that digest: read it again.")
        await self._store.questions.record_opened(question.run_id, question.id, caller.actor, seen)
        return web.Response(status=204)

    async def _was_shown(self, question: Question, digest: str) -> bool:
        """Whether a version of the question had this digest before it was edited."""
        record = await self._store.questions.record(question.run_id, question.id)
        return any(each.digest == digest for each in record.versions)

    async def answer(self, context: RequestContext[AnswerBody, None]) -> web.Response:
        said = context.body
        actor = context.caller.actor_on_behalf_of(said.on_behalf_of)
        prefetched = await self._answers.prefetch(context.caller, context.id("question_id"), actor)
        return reply(await self._answers.record(prefetched, actor, said, context.idempotency_key))

    async def input(self, context: RequestContext[InputBody, None]) -> web.Response:
        said, key = context.body, context.idempotency_key
        question = await self._meant(context, said.question_id, key)
        actor = context.caller.actor_on_behalf_of(said.on_behalf_of)
        if said.response is not None:
            return reply(await self._answers.in_words(question, actor, said.response, said.digest, key))
        return reply(await self._answers.record(Prefetched(question), actor, said, key))

    async def _meant(
        self, context: RequestContext[InputBody, None], named: str | None, key: str | None
    ) -> Question:
        """The question that is answered: the named one, or the only open one of the run.

        A repeated request answers the question of the first one, whatever its run asks by now.
        """
        caller, run_id = context.caller, context.id("run_id")
        if named is None and key is not None:
            receipt, key_values = _receipt(caller.actor, run_id, key), self._store.key_values
            named = await key_values.get(receipt)
            if named is None:
                question = await self._answers.find_in(caller, run_id, None)
                named = await key_values.set_if_absent(receipt, question.id, IDEMPOTENCY_KEY_TTL_S)
        return await self._answers.find_in(caller, run_id, named)


def _receipt(actor: Actor, run_id: str, key: str) -> str:
    """The key under which a request is remembered. It has the run's id, to be deleted with the run."""
    return f"input:{run_id}:" + hashlib.sha256(encode([actor.principal, key])).hexdigest()
