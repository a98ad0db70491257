"""What responses decide: the only copy of these rules. Pure: no clock, no store."""

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
    """What became of one response."""

    SETTLED = "settled"
    #: It counts, and more people are needed.
    RECORDED = "recorded"
    #: The same response had been given before; what it led to stands.
    REPEATED = "repeated"
    REFUSED = "refused"


class Ruling(Value):
    """What became of a response, and the question as it stands now."""

    verdict: Verdict
    #: Of a refusal: unknown_question, not_allowed, settled, stale, invalid_answer.
    code: str = ""
    #: None: there is none, or the actor may not know how it stands.
    question: Question | None = None


class Pending(Strict):
    """Nothing is decided yet."""

    state: Literal["pending"] = "pending"


class Settled(Strict):
    """There is an outcome."""

    state: Literal["settled"] = "settled"
    outcome: Outcome


def evaluate(question: Question, responses: Iterable[Response]) -> Pending | Settled:
    """What the question's policy makes of these responses, oldest first.

    What the policy doesn't let count is passed over. Total: whatever the responses are, there is one answer.
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
    """Why the response doesn't count, as a code; empty if it does.

    Whether the actor may answer at all comes first: whoever may not learns nothing else.
    """
    if not can_decide(response.actor, question.policy):
        return "not_allowed"
    if not question.open:
        return "settled"
    if response.digest and response.digest != question.digest:
        return "stale"
    return "" if admissible(question, response) else "invalid_answer"


def outcome_of(response: Response) -> Outcome:
    """The outcome when this response decides."""
    value = response.value if isinstance(response, Choose) else None
    return Outcome(action=response.action, value=value, comment=response.comment, by=response.actor)


def timeout_outcome(deadline: Deadline, question: Question) -> Outcome:
    """What a question's deadline decides when it passes. Never an approval."""
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
"""The outcome of a question whose run ended before anybody answered."""
