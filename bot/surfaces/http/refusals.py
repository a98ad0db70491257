"""Refused answers as problems: why the answer doesn't count, and what would."""

from __future__ import annotations

from bot.core import answering
from bot.core.decision import Ruling
from bot.core.policy import Objection, Policy
from bot.core.question import Action, Question
from bot.core.question_events import policy_view
from bot.core.response import Approve, Response, Submit
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.question_views import outcome_of

DECIDERS = "somebody whom its crew names"


def refused(ruling: Ruling, question: Question, given: Response) -> Problem:
    """The problem for a response that doesn't count. `question` is the one that was answered."""
    match ruling.code:
        case "not_allowed":
            return _not_allowed(ruling, question.policy)
        case "invalid_answer":
            return invalid_answer(
                [(_part(name, given, question), why) for name, why in ruling.errors.items()]
            )
        case "settled" if ruling.question is not None and (outcome := outcome_of(ruling.question)):
            detail = answering.explain(ruling, DECIDERS)
            return Problem("settled", detail, outcome=outcome.model_dump(mode="json"))
        case code:
            return Problem(code, answering.explain(ruling, DECIDERS))


def invalid_answer(errors: list[tuple[str, str]]) -> Problem:
    """The problem of an answer that doesn't fit its question, with an entry for each wrong part."""
    detail = "; ".join(f"`{part}` {why}" for part, why in errors)
    return Problem("invalid_answer", f"This answer doesn't fit the question: {detail}.", errors=errors)


def _not_allowed(ruling: Ruling, policy: Policy) -> Problem:
    view = policy_view(policy)
    return Problem(
        "not_allowed",
        f"{_because(ruling)} {takes(policy)}",
        objection=ruling.objection.value,
        policy=None if view is None else view.model_dump(mode="json"),
    )


def _because(ruling: Ruling) -> str:
    match ruling.objection:
        case Objection.EXCLUDED:
            return "This isn't yours to decide: its policy excludes you, in all of your identities."
        case Objection.MEMBERSHIP:
            return "This isn't yours to decide: its crew doesn't admit guests and external people."
        case Objection.UNREADABLE_GROUP:
            return (
                "Whether this is yours to decide can't be checked: a group that its policy names can't be "
                f"read just now. {ruling.reason}".strip()
            )
        case _:
            return "This isn't yours to decide."


def takes(policy: Policy) -> str:
    """Who may decide, in a sentence."""
    if policy_view(policy) is None:
        return f"Ask {DECIDERS}."
    if policy.per_group:
        people = " and ".join(f"{seats} of {group}" for group, seats in policy.per_group.items())
    elif policy.who == ("anyone",):
        people = f"{'one person' if policy.need == 1 else f'{policy.need} people'}, anyone"
    else:
        people = f"{policy.need} of {', '.join(policy.who) or DECIDERS}"
    excluded = f", but not {', '.join(policy.not_)}" if policy.not_ else ""
    named = f"The policy {policy.name}" if policy.name else "It"
    return f"{named} takes {people}{excluded}."


def _part(name: str, given: Response, question: Question) -> str:
    """Where a wrong part stands in the request: fields in `values`, arguments in `arguments`."""
    if isinstance(given, Submit) and given.action in question.actions:
        return f"values.{name}"
    if isinstance(given, Approve) and name in (given.arguments or {}):
        return f"arguments.{name}"
    return name


def needs_action(question: Question) -> Problem | None:
    """The problem if words can't decide this question; None if they can."""
    if Action.RESPOND in question.actions:
        return None
    actions = " or ".join(f"`{action}`" for action in question.actions)
    return invalid_answer([("response", f"can't be words here: send `action`, {actions}")])
