"""The handlers of questions: list, show, answer."""

from __future__ import annotations

from aiohttp import web

from bot.core.access import Scope
from bot.core.lists import QuestionPage
from bot.core.policy import ANYONE, can_decide
from bot.core.ports import Store
from bot.surfaces.http.answers import Answers
from bot.surfaces.http.bodies import AnswerBody, InputBody, QuestionsQuery
from bot.surfaces.http.operations import RequestContext, reply
from bot.surfaces.http.views import QuestionsView, QuestionView


class QuestionRoutes:
    """The handlers of questions."""

    def __init__(self, store: Store, answers: Answers) -> None:
        self._store = store
        self._answers = answers

    async def questions(self, context: RequestContext[None, QuestionsQuery]) -> web.Response:
        page = await self._page(context)
        shown = tuple(QuestionView.of(question) for question in page.questions)
        return reply(QuestionsView(questions=shown, next=page.next))

    async def _page(self, context: RequestContext[None, QuestionsQuery]) -> QuestionPage:
        actor, query = context.caller.actor, context.query
        if actor.admin or not (query.mine or context.caller.is_person):
            return await self._store.questions.open_page(query.limit, after=query.cursor)
        if Scope.ANSWER not in context.caller.scopes:
            return QuestionPage([], None)
        deciders = (*actor.principals, ANYONE)
        page = await self._store.questions.open_page(query.limit, deciders, query.cursor)
        return QuestionPage([each for each in page.questions if can_decide(actor, each.policy)], page.next)

    async def question(self, context: RequestContext[None, None]) -> web.Response:
        return reply(QuestionView.of(await self._answers.find(context.caller, context.id("question_id"))))

    async def answer(self, context: RequestContext[AnswerBody, None]) -> web.Response:
        said = context.body
        question = await self._answers.find(context.caller, context.id("question_id"))
        actor = context.caller.acting(said.on_behalf_of)
        return reply(await self._answers.give(question, actor, said))

    async def input(self, context: RequestContext[InputBody, None]) -> web.Response:
        said = context.body
        question = await self._answers.find_in(context.caller, context.id("run_id"), said.question_id)
        actor = context.caller.acting(said.on_behalf_of)
        if said.response is not None:
            return reply(await self._answers.in_words(question, actor, said.response, said.digest))
        return reply(await self._answers.give(question, actor, said))
