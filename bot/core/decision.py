"""The decision rules: how responses settle a question. Pure: no clock and no store."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, assert_never

from bot.core.alike import label_key
from bot.core.policy import can_decide
from bot.core.question import Action, Deadline, Outcome, Question, QuestionKind
from bot.core.response import Approve, Choose, Reject, Reply, Response
from bot.core.value import Strict, Value


def admissible(question: Question, response: Response) -> bool:
    """Whether the response fits the question's kind and options."""
    match response:
        case Choose():
            return question.kind is QuestionKind.CHOICE and response.value in {o.id for o in question.options}
        case Reply():
            return bool(response.comment.strip())
        case Approve() | Reject():
            return response.action in question.actions
        case _:
            assert_never(response)


class Verdict(StrEnum):
    """The verdict on one response."""

    SETTLED = "settled"
    #: It counts, but more responses are needed.
    RECORDED = "recorded"
    #: The same response was recorded before; its effect stands.
    REPEATED = "repeated"
    REFUSED = "refused"


class Ruling(Value):
    """The verdict on a response, and the question's state after it."""

    verdict: Verdict
    #: The reason of a refusal: unknown_question, not_allowed, settled, stale, invalid_answer.
    code: str = ""
    #: None if there is no such question, or if the actor may not see its state.
    question: Question | None = None


class Pending(Strict):
    """Nothing is decided yet."""

    state: Literal["pending"] = "pending"


class Settled(Strict):
    """The question has an outcome."""

    state: Literal["settled"] = "settled"
    outcome: Outcome


def evaluate(question: Question, responses: Iterable[Response]) -> Pending | Settled:
    """Apply the question's policy to its responses, oldest first.

    Responses that the policy doesn't allow are ignored. Total: every sequence of responses has a result.
    """
    for response in responses:
        if can_decide(response.actor, question.policy) and admissible(question, response):
            return Settled(outcome=outcome_of(response))
    return Pending()


def expired_outcome(question: Question, responses: Iterable[Response]) -> Outcome:
    """The outcome when the deadline passes after these responses."""
    decided = evaluate(question, responses)
    return decided.outcome if isinstance(decided, Settled) else timeout_outcome(question.deadline, question)


def refusal(question: Question, response: Response) -> str:
    """The code of the reason why a response does not count; empty if it counts.

    Permission is checked first, so that an actor without permission learns nothing about the question.
    """
    if not can_decide(response.actor, question.policy):
        return "not_allowed"
    if not question.open:
        return "settled"
    if response.digest and response.digest != question.digest:
        return "stale"
    return "" if admissible(question, response) else "invalid_answer"


def outcome_of(response: Response) -> Outcome:
    """The outcome if this response decides the question."""
    value = response.value if isinstance(response, Choose) else None
    return Outcome(action=response.action, value=value, comment=response.comment, by=response.actor)


def timeout_outcome(deadline: Deadline, question: Question) -> Outcome:
    """The outcome of a passed deadline. Never an approval."""
    if deadline.outcome == Action.REJECT and Action.REJECT in question.actions:
        return Outcome(action=Action.REJECT, comment="No answer before the deadline.")
    if question.kind is QuestionKind.CHOICE:
        for option in question.options:
            if deadline.outcome in {option.id, option.label} and label_key(option.label) != Action.APPROVE:
                return Outcome(
                    action=Action.CHOOSE, value=option.id, comment="No answer before the deadline."
                )
    return Outcome(action=Action.EXPIRE)


WITHDRAWN = Outcome(action=Action.CANCEL)
"""The outcome of a question whose run ended before it was answered."""
