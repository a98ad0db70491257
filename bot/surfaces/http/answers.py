"""Questions and their answers, over HTTP and WebSocket."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from bot.core import answering
from bot.core.access import Scope
from bot.core.actor import Actor
from bot.core.alike import label_key
from bot.core.decision import Ruling
from bot.core.errors import NotFound
from bot.core.lists import QuestionPage
from bot.core.people import names_of
from bot.core.policy import ANYONE, can_decide
from bot.core.ports import Store
from bot.core.question import Action, Question
from bot.core.response import make_response
from bot.surfaces.http.auth import Caller
from bot.surfaces.http.bodies import AnswerBody, InputBody, QuestionsQuery
from bot.surfaces.http.operations import RequestContext, reply
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.views import AnswerView, QuestionsView, QuestionView, outcome_of
from bot.surfaces.http.visibility import Visibility

DECIDERS = "somebody whom its crew names"


class FullAnswer(Protocol):
    """A complete answer, as request bodies and messages contain it."""

    @property
    def action(self) -> str | None: ...
    @property
    def value(self) -> str | None: ...
    @property
    def comment(self) -> str: ...
    @property
    def digest(self) -> str | None: ...


class Answers:
    """Records answers and returns their results. Callers without access to a question get NotFound."""

    def __init__(self, store: Store, visibility: Visibility) -> None:
        self._store = store
        self._visibility = visibility

    async def find(self, caller: Caller, question_id: str) -> Question:
        """Find a question by id, in any run. Raises NotFound."""
        question = await self._store.questions.get(
            await self._store.questions.run_of(question_id), question_id
        )
        return await self._seen(caller, question)

    async def find_in(self, caller: Caller, run_id: str, question_id: str | None) -> Question:
        """Find a question of this run: the named one, or the only open one.

        Raises NotFound, and Problem (no_open_question, several_open_questions).
        """
        run = await self._store.runs.get(run_id)
        if question_id is not None:
            return await self._seen(caller, await self._store.questions.get(run_id, question_id.lower()))
        asked = await self._store.questions.list(run_id)
        seen = [question for question in asked if self._visibility.of_question(caller, run, question)]
        if not seen and not self._visibility.of_run(caller, run):
            raise NotFound("run", run_id)
        waiting = [question for question in seen if question.open]
        if len(waiting) == 1:
            return waiting[0]
        raise _which(waiting)

    async def in_words(
        self, question: Question, actor: Actor, words: str, digest: str | None = None
    ) -> AnswerView:
        """Record a typed reply, which may equal a label or an action."""
        if why := answering.ambiguous(question, words):
            raise _several(why)
        return await self._record(question, answering.interpret(question, words), actor, digest)

    async def give(self, question: Question, actor: Actor, said: FullAnswer) -> AnswerView:
        """Record a complete answer. Raises Problem (not_allowed, settled, stale, invalid_answer)."""
        value, comment = said.value, said.comment
        match action := Action(said.action or ""):
            case Action.CHOOSE:
                value = _option(question, value)
            case Action.RESPOND if value is not None:
                comment, value = "\n".join(filter(None, (value, comment))), None
            case _ if value is not None:
                raise Problem(
                    "invalid_answer", f"`{action}` takes no value.", errors=[("value", "must be left out")]
                )
        return await self._record(question, (action, value, comment), actor, said.digest)

    async def _seen(self, caller: Caller, question: Question) -> Question:
        if not self._visibility.of_question(caller, await self._store.runs.get(question.run_id), question):
            raise NotFound("question", question.id)
        return question

    async def _record(
        self, question: Question, said: tuple[Action, str | None, str], actor: Actor, digest: str | None
    ) -> AnswerView:
        action, value, comment = said
        # A request is a response of its own: the store recognises the same answer of the same person, and
        # one that was taken back may be given again.
        key = f"http:{uuid.uuid4()}"
        given = make_response(action, actor, key=key, value=value, comment=comment, digest=digest or "")
        ruling = await self._store.questions.respond(question.run_id, question.id, given)
        if not answering.counted(ruling):
            raise _refusal(ruling)
        settled = ruling.question or question
        outcome = outcome_of(settled)
        if outcome is None:
            raise NotFound("question", question.id)
        return AnswerView(**dict(outcome), question_id=settled.id, run_id=settled.run_id)


def _option(question: Question, value: str | None) -> str | None:
    """The id of an option that is given by id or label. Raises Problem if it is ambiguous."""
    if value is None:
        return None
    by_label = {option.id for option in question.options if label_key(option.label) == label_key(value)}
    found = by_label | {option.id for option in question.options if option.id == value}
    if len(found) > 1:
        raise _several(
            f"`{value}` is the id of one option and the label of another: send the id of the other one."
        )
    return found.pop() if found else value


def _several(why: str) -> Problem:
    return Problem("invalid_answer", why, errors=[("value", "must stand for one option")])


def _which(waiting: Sequence[Question]) -> Problem:
    if not waiting:
        return Problem("no_open_question", "This run has no open question.")
    named = [{"question_id": question.id, "prompt": question.prompt} for question in waiting]
    return Problem(
        "several_open_questions",
        f"{len(waiting)} questions are open: say with `question_id` which one is meant.",
        questions=named,
    )


def _refusal(ruling: Ruling) -> Problem:
    detail = answering.explain(ruling, DECIDERS)
    outcome = outcome_of(ruling.question) if ruling.question and ruling.code == "settled" else None
    if outcome is None:
        return Problem(ruling.code, detail)
    return Problem(ruling.code, detail, outcome=outcome.model_dump(mode="json"))


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
        query = context.query
        actor = await self._store.directory.known(context.caller.actor)
        if actor.admin or not (query.mine or context.caller.is_person):
            return await self._store.questions.open_page(query.limit, after=query.cursor)
        if Scope.ANSWER not in context.caller.scopes:
            return QuestionPage([], None)
        deciders = (*sorted(names_of(actor)), ANYONE)
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
