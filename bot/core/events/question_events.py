"""The events of a question, as its rules create them, and the views of it that they carry."""

from __future__ import annotations

from bot.core.events.event import (
    GuardedAction,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputReminded,
    HumanInputRequired,
    PolicyView,
    ProgressView,
    ResponseView,
    iso,
)
from bot.core.forms.json_schema import json_schema
from bot.core.people.policy import Policy
from bot.core.questions.question import Counted, Outcome, Progress, Question, QuestionKind
from bot.core.questions.response import Approve, Response


def required_event(question: Question) -> HumanInputRequired:
    """The event that announces a question."""
    return HumanInputRequired(
        question_id=question.id,
        crew_id=question.crew_id,
        task_id=question.task_id,
        agent_id=question.agent_id,
        kind=question.kind,
        prompt=question.prompt,
        context=question.context,
        reason_flags=question.reason,
        options=question.options,
        round=question.round,
        digest=question.digest,
        deadline_after=question.deadline.after,
        form=json_schema(question.form) if question.kind is QuestionKind.FORM else None,
        action=action_view(question),
        policy=policy_view(question.policy),
    )


def recorded_event(question: Question, response: Response) -> HumanInputRecorded:
    """The event that announces a response which settles nothing. `question` is the one after it."""
    edits = isinstance(response, Approve) and response.edits
    edited_call = question.call if edits else None
    return HumanInputRecorded(
        question_id=question.id,
        crew_id=question.crew_id,
        task_id=question.task_id,
        agent_id=question.agent_id,
        action=response.action,
        answered_by=response.actor.label,
        surface=response.actor.surface,
        comment=response.comment,
        progress=progress_view(question.progress),
        digest=question.digest,
        arguments=edited_call.arguments if edited_call is not None else None,
        text_only=edited_call.text_only if edited_call is not None else (),
        value=question.context if edits and question.call is None else None,
    )


def reminded_event(question: Question) -> HumanInputReminded:
    """The event that reminds people of an open question."""
    return HumanInputReminded(question_id=question.id, progress=progress_view(question.progress))


def action_view(question: Question) -> GuardedAction | None:
    """The call that waits for an approval, if the question is a gate."""
    if (call := question.call) is None:
        return None
    return GuardedAction(
        tool=call.tool,
        title=call.summary,
        arguments=call.arguments,
        editable=call.editable,
        secret=tuple(call.secrets),
        text_only=call.text_only,
        digest=question.digest,
    )


def policy_view(policy: Policy) -> PolicyView | None:
    """A named policy, or one that takes several people; None for plain approvers."""
    if policy.admins and policy.seats == 1:
        return None
    return PolicyView(
        name=policy.name,
        version=policy.version,
        who=policy.who,
        not_=policy.not_,
        need=policy.seats,
        per_group=policy.per_group,
    )


def progress_view(progress: Progress) -> ProgressView:
    """Progress without the responses."""
    return ProgressView(approved=progress.approved, need=progress.need, missing=progress.missing)


def response_view(counted: Counted) -> ResponseView:
    """A response that counted."""
    return ResponseView(
        answered_by=counted.by.label,
        surface=counted.by.surface,
        action=counted.action,
        value=counted.value,
        comment=counted.comment,
        at=iso(counted.at),
        override=counted.override,
    )


def completed_event(question: Question, outcome: Outcome) -> HumanInputCompleted:
    """The event that announces a question's outcome."""
    return HumanInputCompleted(
        question_id=question.id,
        crew_id=question.crew_id,
        task_id=question.task_id,
        agent_id=question.agent_id,
        kind=question.kind,
        action=outcome.action,
        value=outcome.value,
        human_feedback=outcome.text(question.options),
        answered_by=outcome.by.label if outcome.by else None,
        surface=outcome.by.surface if outcome.by else None,
        values=outcome.values,
        arguments=outcome.arguments,
        responses=tuple(map(response_view, outcome.responses)),
        override=outcome.override,
    )
