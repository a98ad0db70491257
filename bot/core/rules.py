"""Who may do what, what words mean, and what responses decide: only here. Pure: no clock, no store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, assert_never

from bot.core.alike import label_key
from bot.core.model import (
    ANYONE,
    Action,
    Actor,
    Approvers,
    Deadline,
    Option,
    Outcome,
    Policy,
    Question,
    QuestionKind,
    Run,
    Standing,
    Strict,
    principal,
)
from bot.core.responses import Approve, Choose, Reject, Reply, Response

APPROVAL_OPTIONS = (Option(id="approve", label="Approve"), Option(id="reject", label="Reject"))
REVIEW_OPTIONS = (*APPROVAL_OPTIONS, Option(id="respond", label="Request changes"))


def may(actor: Actor, policy: Policy) -> bool:
    """Whether `actor` may do what `policy` guards."""
    if actor.admin:
        return True
    if actor.standing not in policy.admits:
        return False
    return ANYONE in policy.deciders or not set(actor.principals).isdisjoint(policy.deciders)


def sees(actor: Actor, run: Run) -> bool:
    """Whether `actor` gets to know of a run: its requester does, and who may decide in it or cancel it."""
    if actor.admin or not set(actor.principals).isdisjoint(run.requester.principals):
        return True
    return may(actor, run.approvers) or may(actor, run.cancellers)


def policy_for(approvers: Approvers, requester: Actor, admits: Sequence[Standing] = ()) -> Policy:
    """A snapshot of what `approvers` means in a run of `requester`. Listed users are of their workspace."""
    deciders: list[str] = []
    if approvers.anyone:
        deciders.append(ANYONE)
    if approvers.requester:
        deciders.extend(requester.principals)
    deciders.extend(_listed(name, requester) for name in approvers.listed)
    return Policy(deciders=tuple(deciders), admits=tuple(admits) or (Standing.MEMBER,))


def _listed(name: str, requester: Actor) -> str:
    if name.startswith("key:"):
        return principal("http", "", name)
    return principal("slack", requester.tenant, name)


def infer_kind(kind: QuestionKind | None, labels: tuple[str, ...]) -> QuestionKind:
    """The kind of a question that names none: by its options."""
    if kind is not None:
        return kind
    if {label_key(label) for label in labels} == {"approve", "reject"}:
        return QuestionKind.APPROVAL
    return QuestionKind.CHOICE if labels else QuestionKind.TEXT


def options_for(kind: QuestionKind, labels: tuple[str, ...]) -> tuple[Option, ...]:
    """A question's options. Those of a choice are numbered, since a label can be long or in any script."""
    match kind:
        case QuestionKind.APPROVAL:
            return APPROVAL_OPTIONS
        case QuestionKind.REVIEW:
            return REVIEW_OPTIONS
        case QuestionKind.CHOICE:
            return tuple(Option(id=str(number), label=label) for number, label in enumerate(labels, start=1))
        case QuestionKind.TEXT:
            return ()


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


# ── what responses decide ───────────────────────────────────────────────────────────────────────────────


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
        if may(response.actor, question.policy) and admissible(question, response):
            return Settled(outcome=outcome_of(response))
    return Pending()


def expire(question: Question, responses: Iterable[Response]) -> Outcome:
    """The outcome when the deadline passes after these responses."""
    decided = evaluate(question, responses)
    return decided.outcome if isinstance(decided, Settled) else silence(question.deadline, question)


def refusal(question: Question, response: Response) -> str:
    """Why the response doesn't count, as a code; empty if it does.

    Whether the actor may answer at all comes first: whoever may not learns nothing else.
    """
    if not may(response.actor, question.policy):
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


def interpret(question: Question, words: str, *, numbered: bool = False) -> tuple[Action, str | None, str]:
    """What a reply in words does: `(action, value, comment)`.

    Words that are exactly one label, as people type it, are that button. Any others are an answer in words,
    never an approval.
    """
    found = meant(question, words, numbered=numbered)
    if len(found) == 1:
        [option] = found
        if question.kind is QuestionKind.CHOICE:
            return Action.CHOOSE, option.id, ""
        if option.id != Action.RESPOND:
            return Action(option.id), None, ""
    return Action.RESPOND, None, words.strip()


def meant(question: Question, words: str, *, numbered: bool = False) -> tuple[Option, ...]:
    """The options that these words may stand for: by label, by id, and by number where people see numbers."""
    typed = label_key(words)
    number = _NUMBER.fullmatch(typed) if numbered and question.kind is QuestionKind.CHOICE else None
    place = int(number[1]) if number else None
    return tuple(
        option
        for at, option in enumerate(question.options, start=1)
        if at == place or typed == label_key(option.label) or (typed == option.id and not option.id.isdigit())
    )


_NUMBER = re.compile(r"#?([1-9][0-9]{0,2})\)?")
"""A number as people type it, behind `label_key`, which takes away a full stop."""


def silence(deadline: Deadline, question: Question) -> Outcome:
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
