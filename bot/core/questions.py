"""Answering questions: what every surface does, whatever it looks like there."""

from __future__ import annotations

import hashlib
import json

from bot.core import rules
from bot.core.model import Action, Actor, Outcome, Question, Ruling, Verdict
from bot.core.responses import Response, response
from bot.core.text import visible

_NOT_SHOWN = {
    # Where it stands in its run.
    "id",
    "run_id",
    "crew_id",
    "task_id",
    "agent_id",
    "known_as",
    # What the store adds.
    "digest",
    "created_at",
    "deadline_at",
    "settled_at",
    "outcome",
}


def digest_of(question: Question) -> str:
    """SHA-256 of all that people see of a question and decide on.

    Whatever a question has is covered unless it is named above: kind, words, options, who asks, which round,
    who may answer, and what silence means.
    """
    shown = question.model_dump(mode="json", exclude=_NOT_SHOWN)
    text = json.dumps(shown, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def in_words(
    question: Question, actor: Actor, words: str, *, key: str, digest: str = "", numbered: bool = False
) -> Response:
    """The response that words are: exactly a label, as people type it, is that choice.

    Others are passed on as words. `key` and `digest` as in `bot.core.responses`. `numbered`: people see the
    options with numbers, so a number is a choice as well.
    """
    action, value, comment = rules.interpret(question, words, numbered=numbered)
    return response(action, actor, key=key, value=value, comment=comment, digest=digest)


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
    return f"This was already settled{by}: {outcome.text(question.options)}. Your answer was not counted."


def counted(ruling: Ruling) -> bool:
    """Whether the response counts: now, or since it arrived before."""
    return ruling.verdict is not Verdict.REFUSED
