"""Who may do what, and what words mean. Pure: no clock, no store.

The store repeats `may` and `admissible` inside the transition (store/scripts), where they count; here they
serve to tell people early. A property test holds both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    Response,
    Run,
    Standing,
    principal,
)

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
    match response.action:
        case Action.CHOOSE:
            ids = [option.id for option in question.options]  # a list, for a value may be anything
            return question.kind is QuestionKind.CHOICE and response.value in ids
        case Action.RESPOND:
            return bool(response.comment.strip())
        case Action.APPROVE | Action.REJECT:
            return response.action in question.actions
        case Action.EXPIRE | Action.CANCEL:
            return False


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
