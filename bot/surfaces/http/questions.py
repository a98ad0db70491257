"""The handlers of questions: list, show, answer, record."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from bot.core.api_keys import Scope
from bot.core.lists import QuestionPage
from bot.core.people import UNKNOWN, People, names_of
from bot.core.policy import ANYONE, can_decide
from bot.core.ports import Store
from bot.core.question import Question
from bot.surfaces.http.answers import Answers
from bot.surfaces.http.auth import Caller
from bot.surfaces.http.bodies import AnswerBody, InputBody, OpenedBody, QuestionsQuery
from bot.surfaces.http.operations import RequestContext, reply
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.question_views import QuestionsView, QuestionView
from bot.surfaces.http.record_views import RecordView
from bot.surfaces.http.visibility import Visibility


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
        return reply(RecordView.of(await self._store.questions.record(question.run_id, question.id)))

    async def opened(self, context: RequestContext[OpenedBody, None]) -> web.Response:
        caller = context.caller
        if caller.key is not None and caller.session is None:
            raise Problem("not_allowed", "Only people who look at a question have it before them, no keys.")
        question = await self._answers.find(caller, context.id("question_id"))
        await self._store.questions.opened(question.run_id, question.id, caller.actor, context.body.digest)
        return web.Response(status=204)

    async def answer(self, context: RequestContext[AnswerBody, None]) -> web.Response:
        said = context.body
        question = await self._answers.find(context.caller, context.id("question_id"))
        actor = context.caller.acting(said.on_behalf_of)
        return reply(await self._answers.give(question, actor, said, context.idempotency_key))

    async def input(self, context: RequestContext[InputBody, None]) -> web.Response:
        said, key = context.body, context.idempotency_key
        question = await self._answers.find_in(context.caller, context.id("run_id"), said.question_id)
        actor = context.caller.acting(said.on_behalf_of)
        if said.response is not None:
            return reply(await self._answers.in_words(question, actor, said.response, said.digest, key))
        return reply(await self._answers.give(question, actor, said, key))
