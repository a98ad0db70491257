"""Counting responses: the outcome that they bring about, and how far an open question is from one. Pure."""

from __future__ import annotations

from typing import assert_never

from bot.core.forms.validation import validate
from bot.core.people.identities import People, person_of
from bot.core.people.policy import OnReject, Policy, eligible, filled_seats, groups_of, groups_of_person
from bot.core.questions.question import Counted, Outcome, Progress, Question
from bot.core.questions.response import Approve, Choose, Reject, Reply, Response, Submit, Withdraw


def overrides(response: Response) -> bool:
    """Whether an administrator decides without being named."""
    return isinstance(response, Approve | Reject) and response.override


def outcome_from(question: Question, current: tuple[Response, ...], people: People) -> Outcome | None:
    """The outcome that the newest of these responses brings about, if it does."""
    newest = current[-1]
    if overrides(newest):
        return _outcome_by(question, newest, current)
    match newest:
        case Reply() | Submit():
            return _outcome_by(question, newest, current)
        case Reject():
            over = question.policy.on_reject is OnReject.ENDS or _out_of_reach(
                question.policy, current, people
            )
            return _outcome_by(question, newest, current) if over else None
        case Approve() | Choose():
            filled = _filled(question.policy, _agreeing(newest, current), people)
            enough = sum(filled.values()) >= question.policy.seats
            return _outcome_by(question, newest, current) if enough else None
        case Withdraw():
            return None
        case _:
            assert_never(newest)


def rejected_by_now(question: Question, current: tuple[Response, ...], people: People) -> Outcome | None:
    """The outcome that an earlier rejection brings about, since so few may decide by now.

    None while it is unknown how many may: a group that can't be read for a moment rejects nothing.
    """
    rejections = [each for each in current if isinstance(each, Reject)]
    if not rejections or eligible(question.policy, people) is None:
        return None
    if not _out_of_reach(question.policy, current, people):
        return None
    return _outcome_by(question, rejections[-1], current)


def _outcome_by(question: Question, response: Response, current: tuple[Response, ...]) -> Outcome:
    """The outcome if this response decides the question."""
    value: str | None = response.value if isinstance(response, Choose) else None
    arguments = None
    if isinstance(response, Approve):
        value = question.context if question.proposed is not None else None
        arguments = question.call.arguments if question.call is not None else None
    return Outcome(
        action=response.action,
        value=value,
        comment=response.comment,
        by=response.actor,
        responses=tuple(map(_counted, current)),
        values=validate(question.form, response.values, strict=True)
        if isinstance(response, Submit)
        else None,
        arguments=arguments,
        override=overrides(response),
    )


def progress_from(
    question: Question, current: tuple[Response, ...], ineligible: tuple[Response, ...], people: People
) -> Progress:
    """How far the question is from an outcome by these responses. Those in `ineligible` don't count."""
    policy = question.policy
    camps = [
        _filled(policy, _agreeing(each, current), people) for each in current if not isinstance(each, Reject)
    ]
    filled = max(camps, key=lambda camp: sum(camp.values()), default=_filled(policy, (), people))
    missing = tuple(group for group, number in policy.per_group.items() if filled[group] < number)
    return Progress(
        approved=sum(filled.values()),
        need=policy.seats,
        missing=missing or policy.who,
        counted=tuple(map(_counted, current)),
        ineligible=tuple(map(_counted, ineligible)),
    )


def _agreeing(with_: Response, current: tuple[Response, ...]) -> tuple[Response, ...]:
    """The responses that say the same: approvals, or choices of the same option."""
    value = with_.value if isinstance(with_, Choose) else None
    return tuple(
        each
        for each in current
        if each.action is with_.action and (not isinstance(each, Choose) or each.value == value)
    )


def _filled(policy: Policy, agreeing: tuple[Response, ...], people: People) -> dict[str, int]:
    """How many seats these people fill, by group; without seats for groups under the key "" ."""
    if not policy.per_group:
        return {"": len(agreeing)}
    return filled_seats(
        policy, {person_of(each.actor, people): groups_of(each.actor, policy, people) for each in agreeing}
    )


def _out_of_reach(policy: Policy, current: tuple[Response, ...], people: People) -> bool:
    """Whether those who have not rejected can't reach an approval any more.

    Where their number is unknown, it takes as many rejections as it would have taken approvals.
    """
    rejected = {person_of(each.actor, people) for each in current if isinstance(each, Reject)}
    known = eligible(policy, people)
    if known is None:
        return len(rejected) >= policy.seats
    left = known - rejected
    if not policy.per_group:
        return len(left) < policy.need
    filled = filled_seats(policy, {each: groups_of_person(each, policy, people) for each in left})
    return sum(filled.values()) < policy.seats


def _counted(response: Response) -> Counted:
    value = response.value if isinstance(response, Approve | Choose) else None
    return Counted(
        by=response.actor,
        action=response.action,
        value=value,
        comment=response.comment,
        at=response.at,
        override=overrides(response),
    )
