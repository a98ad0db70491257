"""Answering a question over HTTP: whichever route or message brings it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from bot.core import questions, rules
from bot.core.alike import label_key
from bot.core.errors import NotFound
from bot.core.inbox import Inbox
from bot.core.model import Action, Actor, Question, Ruling
from bot.core.ports import Questions, Runs
from bot.surfaces.encoding import encode
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.views import AnswerView, outcome_of

DECIDERS = "somebody whom its crew names"


class AnswerStore(Runs, Questions, Inbox, Protocol):
    """What is needed to answer."""


class Answers:
    """Gives answers, and says what became of them."""

    def __init__(self, store: AnswerStore) -> None:
        self._store = store

    async def find(self, question_id: str) -> Question:
        """The question of this id, whatever its run. Raises NotFound."""
        return await self._store.question(await self._store.run_of(question_id), question_id)

    async def find_in(self, run_id: str, question_id: str | None) -> Question:
        """The question of this run that is meant: the one named, else the one that is open."""
        await self._store.run(run_id)
        if question_id is not None:
            return await self._store.question(run_id, question_id.lower())
        waiting = [question for question in await self._store.questions(run_id) if question.open]
        if len(waiting) == 1:
            return waiting[0]
        raise _which(waiting)

    async def in_words(self, question: Question, actor: Actor, words: str) -> AnswerView:
        """Answer with words that may be exactly a label or an action."""
        if why := questions.ambiguous(question, words):
            raise _several(why)
        action, value, comment = rules.interpret(question, words)
        return await self._record(question, actor, action, value, comment)

    async def give(
        self, question: Question, actor: Actor, action: str, value: str | None, comment: str
    ) -> AnswerView:
        """Answer in full. Raises Problem (not_allowed, settled, invalid_answer)."""
        match Action(action):
            case Action.CHOOSE:
                value = _option(question, value)
            case Action.RESPOND if value is not None:
                comment, value = "\n".join(filter(None, (value, comment))), None
            case _ if value is not None:
                raise Problem(
                    "invalid_answer", f"`{action}` takes no value.", errors=[("value", "must be left out")]
                )
        return await self._record(question, actor, Action(action), value, comment)

    async def _record(
        self, question: Question, actor: Actor, action: Action, value: str | None, comment: str
    ) -> AnswerView:
        key = _key(actor, action, value, comment)
        ruling = await questions.answer(
            self._store, question, actor, action, key=key, value=value, comment=comment
        )
        if not questions.counted(ruling):
            raise _refusal(ruling)
        settled = ruling.question or question
        outcome = outcome_of(settled)
        if outcome is None:
            raise NotFound("question", question.id)
        return AnswerView(**dict(outcome), question_id=settled.id, run_id=settled.run_id)


def _key(actor: Actor, action: Action, value: str | None, comment: str) -> str:
    """The same answer of the same caller is the same response, however often it arrives."""
    said = encode([actor.principal, actor.on_behalf_of, action, value, comment])
    return f"http:{hashlib.sha256(said).hexdigest()}"


def _option(question: Question, value: str | None) -> str | None:
    """The id of the option that is meant, by its id or its label. Raises Problem if they are of several."""
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
    detail = questions.explain(ruling, DECIDERS)
    outcome = outcome_of(ruling.question) if ruling.question and ruling.code == "settled" else None
    if outcome is None:
        return Problem(ruling.code, detail)
    return Problem(ruling.code, detail, outcome=outcome.model_dump(mode="json"))
