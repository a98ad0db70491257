"""Answering questions: what every surface does, whatever it looks like there."""

from __future__ import annotations

from pydantic import JsonValue

from bot.core import rules
from bot.core.model import Action, Actor, Outcome, Question, Response, Ruling, Verdict
from bot.core.ports import Questions
from bot.core.text import visible


async def answer(
    store: Questions,
    question: Question,
    actor: Actor,
    action: Action,
    *,
    key: str,
    value: JsonValue = None,
    comment: str = "",
) -> Ruling:
    """Give one answer. `key` names the delivery that carried it, so that it never counts twice."""
    response = Response(action=action, value=value, comment=comment, actor=actor, key=key)
    return await store.respond(question.run_id, question.id, response)


async def answer_in_words(
    store: Questions, question: Question, actor: Actor, words: str, *, key: str, numbered: bool = False
) -> Ruling:
    """Answer in words: exactly a label, as people type it, is that choice; others are passed on as words.

    `numbered`: people see the options with numbers, so a number is a choice as well.
    """
    action, value, comment = rules.interpret(question, words, numbered=numbered)
    return await answer(store, question, actor, action, key=key, value=value, comment=comment)


def ambiguous(question: Question, words: str, *, numbered: bool = False) -> str:
    """Why words that fit several options decide nothing, for who said them; empty if they don't."""
    found = rules.meant(question, words, numbered=numbered)
    if len(found) < 2:  # noqa: PLR2004 - one is meant, or none
        return ""
    labels = " and ".join(f"“{visible(option.label)}”" for option in found[:3])
    return f"“{words.strip()}” may mean {labels}, so nothing was decided. Press the one that you mean."


def explain(ruling: Ruling, deciders: str) -> str:
    """Why an answer was refused, for the person who gave it.

    `deciders` says who may answer, in the surface's words.
    """
    match ruling.code:
        case "not_allowed":
            return f"This isn't yours to decide. Ask {deciders}."
        case "settled" if ruling.question is not None and ruling.question.outcome is not None:
            return _already(ruling.question, ruling.question.outcome)
        case "invalid_answer":
            return "That answer doesn't fit this question. Press one of its buttons, or reply in words."
        case _:
            return "This question is no longer here: its run ended some time ago."


def _already(question: Question, outcome: Outcome) -> str:
    if outcome.action is Action.CANCEL:
        return "This question was withdrawn because its run ended. Your answer was not counted."
    if outcome.action is Action.EXPIRE:
        return "This question's deadline has passed. Your answer was not counted."
    by = f" by {outcome.by.label}" if outcome.by else ""
    return f"This was already settled{by}: {outcome.text(question.options)}. Your answer was not counted."


def counted(ruling: Ruling) -> bool:
    """Whether the response counts: now, or since it arrived before."""
    return ruling.verdict is not Verdict.REFUSED
