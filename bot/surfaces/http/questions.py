"""Questions over HTTP: list, show, answer."""

from __future__ import annotations

from aiohttp import web

from bot.core import rules
from bot.core.access import Scope
from bot.core.model import ANYONE, Question
from bot.surfaces.http.answers import Answers, AnswerStore
from bot.surfaces.http.bodies import AnswerBody, InputBody, QuestionsQuery
from bot.surfaces.http.operations import Call, reply
from bot.surfaces.http.views import QuestionsView, QuestionView


class QuestionRoutes:
    """The handlers of questions."""

    def __init__(self, store: AnswerStore, answers: Answers) -> None:
        self._store = store
        self._answers = answers

    async def questions(self, call: Call[None, QuestionsQuery]) -> web.Response:
        found = await self._found(call)
        return reply(QuestionsView(questions=tuple(QuestionView.of(question) for question in found)))

    async def _found(self, call: Call[None, QuestionsQuery]) -> list[Question]:
        actor = call.caller.actor
        if not call.query.mine or actor.admin:
            return await self._store.open_questions(call.query.limit)
        if Scope.ANSWER not in call.caller.scopes:
            return []
        found = await self._store.open_questions(call.query.limit, (*actor.principals, ANYONE))
        return [question for question in found if rules.may(actor, question.policy)]

    async def question(self, call: Call[None, None]) -> web.Response:
        return reply(QuestionView.of(await self._answers.find(call.id("question_id"))))

    async def answer(self, call: Call[AnswerBody, None]) -> web.Response:
        said = call.body
        question = await self._answers.find(call.id("question_id"))
        actor = call.caller.acting(said.on_behalf_of)
        return reply(await self._answers.give(question, actor, said.action, said.value, said.comment))

    async def input(self, call: Call[InputBody, None]) -> web.Response:
        said = call.body
        question = await self._answers.find_in(call.id("run_id"), said.question_id)
        actor = call.caller.acting(said.on_behalf_of)
        if said.response is not None:
            return reply(await self._answers.in_words(question, actor, said.response))
        action = said.action or ""
        return reply(await self._answers.give(question, actor, action, said.value, said.comment))
