"""Answers on any surface: typed words become a response, and a ruling becomes an explanation for people."""

from __future__ import annotations

import re

from bot.core.labels import label_key
from bot.core.people.actor import Actor
from bot.core.questions.decision import Ruling, Verdict
from bot.core.questions.question import Action, Option, Outcome, Question, QuestionKind
from bot.core.questions.response import Response, make_response
from bot.core.text import visible


def interpret(question: Question, words: str, *, numbered: bool = False) -> tuple[Action, str | None, str]:
    """Interpret a typed reply; returns `(action, value, comment)`.

    A reply that equals exactly one label (by `label_key`) has the effect of that button. Any other is an
    answer in words and never approves.
    """
    found = matching_options(question, words, numbered=numbered)
    if len(found) == 1:
        [option] = found
        if question.kind is QuestionKind.CHOICE:
            return Action.CHOOSE, option.id, ""
        if option.id != Action.RESPOND:
            return Action(option.id), None, ""
    return Action.RESPOND, None, words.strip()


def matching_options(question: Question, words: str, *, numbered: bool = False) -> tuple[Option, ...]:
    """The options that a reply matches: by label, by id, and with `numbered` by number."""
    if not question.options:
        return ()
    typed = label_key(words)
    number = _NUMBER.fullmatch(typed) if numbered and question.kind is QuestionKind.CHOICE else None
    place = int(number[1]) if number else None
    return tuple(
        option
        for at, option in enumerate(question.options, start=1)
        if at == place or typed == label_key(option.label) or (typed == option.id and not option.id.isdigit())
    )


_NUMBER = re.compile(r"#?([1-9][0-9]{0,2})\)?")
"""A typed number, normalised by `label_key`, which removes a final full stop."""


def in_words(
    question: Question, actor: Actor, words: str, *, key: str, digest: str = "", numbered: bool = False
) -> Response:
    """Build the response for a typed reply.

    A reply that equals a label chooses that option; any other is passed on as words. `key` and `digest` are
    those of `Response`. With `numbered`, people see numbered options and may reply with a number.
    """
    action, value, comment = interpret(question, words, numbered=numbered)
    return make_response(action, actor, key=key, value=value, comment=comment, digest=digest)


def ambiguous(question: Question, words: str, *, numbered: bool = False) -> str:
    """The explanation that a reply matches several options and decides nothing; "" if it is unambiguous."""
    found = matching_options(question, words, numbered=numbered)
    if len(found) < 2:  # noqa: PLR2004 - fewer than two matches are unambiguous
        return ""
    labels = " and ".join(f"“{visible(option.label)}”" for option in found[:3])
    return f"“{words.strip()}” may mean {labels}, so nothing was decided. Press the one that you mean."


def explain(ruling: Ruling, who_may: str) -> str:
    """Explain to a person why their answer was refused.

    `who_may` names those who may answer, in the surface's notation.
    """
    match ruling.code:
        case "not_allowed":
            return f"This isn't yours to decide. Ask {who_may}."
        case "settled" if ruling.question is not None and ruling.question.outcome is not None:
            return _already(ruling.question, ruling.question.outcome)
        case "stale":
            return (
                "What is asked has changed since you were shown it, so your answer was not counted. "
                "Look at the question as it stands now, and decide again."
            )
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
    decision = outcome.text(question.options)
    stop = "" if decision.endswith((".", "!", "?")) else "."
    return f"This was already settled{by}: {decision}{stop} Your answer was not counted."


def counted(ruling: Ruling) -> bool:
    """Whether the response counts: accepted now, or a repetition of one that was."""
    return ruling.verdict is not Verdict.REFUSED
