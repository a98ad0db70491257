"""Models of questions and answers in responses, and their construction from the core's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, JsonValue

from bot.core.events.event import PolicyView, ResponseView, iso
from bot.core.events.question_events import policy_view, response_view
from bot.core.forms.fields import Field as FormField
from bot.core.forms.json_schema import json_schema
from bot.core.people.actor import Actor
from bot.core.people.identities import UNKNOWN, People
from bot.core.people.policy import Objection, exclusion, objection
from bot.core.questions.decision import Ruling, Verdict
from bot.core.questions.question import (
    Action,
    Counted,
    Option,
    Outcome,
    Progress,
    Question,
    QuestionKind,
    ReasonFlags,
    Source,
)
from bot.core.questions.response import Response
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.run import Run
from bot.core.runs.waiting import Wait
from bot.surfaces.http.views import ActorView, RunSummary, View, iso_or_none, summary_fields


class OutcomeView(View):
    """What was decided, and by whom."""

    action: Action
    value: JsonValue = None
    comment: str
    human_feedback: str = Field(description="The outcome as text, as the crew receives it.")
    answered_by: ActorView | None
    answered_at: str | None
    values: dict[str, JsonValue] | None = Field(None, description="Forms: the values by field.")
    arguments: dict[str, JsonValue] | None = Field(None, description="Gates: the approved arguments.")
    responses: tuple[ResponseView, ...] = Field(
        (), description="One entry for each person who counted, in order."
    )
    override: bool = Field(
        default=False, description="An administrator settled it whom the policy doesn't name."
    )

    @classmethod
    def of(cls, outcome: Outcome, question: Question) -> OutcomeView:
        return cls(**_outcome_fields(outcome, question))


class CallView(View):
    """A tool call that waits for an approval. Secret arguments are named, never contained."""

    tool: str
    title: str
    on_behalf: str = Field(description="In whose name the call is made.")
    arguments: dict[str, JsonValue] = Field(description="As they stand now.")
    proposed: dict[str, JsonValue] = Field(description="As they were before anybody edited them.")
    editable: tuple[str, ...] = Field(description="The arguments that an approval may change.")
    secret: tuple[str, ...]
    text_only: tuple[str, ...] = Field(
        description="The arguments that can only be texts, or nothing: `5` is a text there."
    )
    parameters: dict[str, JsonValue] = Field(description="The JSON Schema of the tool's arguments.")
    digest: str = Field(description="To be sent along with the answer.")

    @classmethod
    def of(cls, call: ToolCall, digest: str) -> CallView:
        return cls(
            tool=call.tool,
            title=call.summary,
            on_behalf=call.on_behalf,
            arguments=call.arguments,
            proposed=call.proposed,
            editable=call.editable,
            secret=tuple(call.secrets),
            text_only=call.text_only,
            parameters=call.parameters,
            digest=digest,
        )


class QuestionProgress(View):
    """How far an open question is from its outcome."""

    approved: int
    need: int
    missing: tuple[str, ...] = Field(description="The groups with empty seats, or who is still needed.")
    responses: tuple[ResponseView, ...] = Field(description="The responses that count now, oldest first.")
    fell_out: tuple[ResponseView, ...] = Field(
        description="Responses that count no more: their people may no longer decide."
    )

    @classmethod
    def of(cls, progress: Progress) -> QuestionProgress:
        return cls(
            approved=progress.approved,
            need=progress.need,
            missing=progress.missing,
            responses=tuple(map(response_view, progress.counted)),
            fell_out=tuple(map(response_view, progress.ineligible)),
        )


class ViewerView(View):
    """What the caller may do about a question, and what they said about it."""

    can_answer: bool
    objection: Objection = Field(description="Why they can't: the policy's objection.")
    can_override: bool = Field(description="They may decide as an administrator, which is recorded.")
    response: ResponseView | None = Field(description="Their response that counts now.")

    @classmethod
    def of(cls, question: Question, actor: Actor, people: People, *, answers: bool) -> ViewerView:
        """`answers`: whether the caller may answer questions at all."""
        why = objection(actor, question.policy, people)
        decides = {Action.APPROVE, Action.REJECT}.intersection(question.actions)
        counted = counted_of(question.progress.counted, actor)
        return cls(
            can_answer=answers and not why and question.open,
            objection=why,
            can_override=bool(
                answers
                and (why or question.policy.seats > 1)
                and decides
                and question.open
                and actor.admin
                and not exclusion(actor, question.policy, people)
            ),
            response=response_view(counted) if counted else None,
        )


class QuestionView(View):
    """A question of a run."""

    question_id: str
    run_id: str
    kind: QuestionKind
    source: Source
    state: Literal["open", "settled"]
    prompt: str
    context: str
    proposed: str | None = Field(description="Reviews: the text before somebody edited it.")
    options: tuple[Option, ...]
    actions: tuple[Action, ...] = Field(description="The actions that decide it.")
    form: dict[str, JsonValue] | None = Field(description="Forms: a flat JSON Schema.")
    fields: tuple[FormField, ...] = Field(description="Forms: the same as fields.")
    action: CallView | None = Field(description="Gates: the call that waits for the approval.")
    policy: PolicyView | None = Field(
        description="Who decides, where it isn't any one of the crew's approvers."
    )
    progress: QuestionProgress
    viewer: ViewerView
    reason_flags: ReasonFlags
    asker: str
    round: int | None
    digest: str = Field(
        description="The digest of what is asked. An answer with it counts for this version only."
    )
    created_at: str
    deadline: str | None
    outcome: OutcomeView | None

    @classmethod
    def of(
        cls, question: Question, actor: Actor, people: People = UNKNOWN, *, answers: bool = True
    ) -> QuestionView:
        """The question as `actor` sees it, who may answer questions at all or not (`answers`)."""
        is_form = question.kind is QuestionKind.FORM
        return cls(
            question_id=question.id,
            run_id=question.run_id,
            kind=question.kind,
            source=question.source,
            state="open" if question.open else "settled",
            prompt=question.prompt,
            context=question.context,
            proposed=question.proposed,
            options=question.options,
            actions=question.actions,
            form=json_schema(question.form) if is_form else None,
            fields=question.form,
            action=CallView.of(question.call, question.digest) if question.call else None,
            policy=policy_view(question.policy),
            progress=progress_of(question),
            viewer=ViewerView.of(question, actor, people, answers=answers),
            reason_flags=question.reason,
            asker=question.asker,
            round=question.round,
            digest=question.digest,
            created_at=iso(question.created_at),
            deadline=iso_or_none(question.deadline_at),
            outcome=OutcomeView.of(question.outcome, question) if question.outcome else None,
        )


class QuestionsView(View):
    """A page of questions. It can be short although others follow."""

    questions: tuple[QuestionView, ...]
    next: str | None = Field(None, description="The `cursor` of the next page; null: this is the last one.")


class AnswerView(OutcomeView):
    """An answer that counts: the outcome, or while more people are needed, the caller's response."""

    question_id: str
    run_id: str
    status: Literal["settled", "recorded"] = Field(description="`recorded`: more people are needed.")
    repeated: bool = Field(description="The same answer had been counted before.")
    progress: QuestionProgress
    digest: str = Field(description="The digest of what is asked now; an edit changes it.")

    @classmethod
    def after(cls, ruling: Ruling, question: Question, given: Response) -> AnswerView:
        """The result of a response that counts; `question` is the one after it."""
        outcome = question.outcome
        said = _outcome_fields(outcome, question) if outcome else _response_fields(given, question)
        return cls(
            **said,
            question_id=question.id,
            run_id=question.run_id,
            status="settled" if outcome else "recorded",
            repeated=ruling.verdict is Verdict.REPEATED,
            progress=progress_of(question),
            digest=question.digest,
        )


class RunView(RunSummary):
    """A run with all its questions."""

    result: str | None
    questions: tuple[QuestionView, ...]


def full(run: Run, questions: Sequence[QuestionView], wait: Wait | None = None) -> RunView:
    """A run with its questions."""
    return RunView(**summary_fields(run, wait), result=run.result, questions=tuple(questions))


def outcome_of(question: Question) -> OutcomeView | None:
    """The outcome of a settled question."""
    return OutcomeView.of(question.outcome, question) if question.outcome else None


def progress_of(question: Question) -> QuestionProgress:
    """The progress; before the first response with the seats that the policy has."""
    progress = question.progress
    if progress == Progress():
        missing = tuple(question.policy.per_group) or question.policy.who
        progress = Progress(need=question.policy.seats, missing=missing)
    return QuestionProgress.of(progress)


def counted_of(counted: Sequence[Counted], actor: Actor) -> Counted | None:
    """The response of this person among those that count."""
    mine = set(actor.principals)
    return next((each for each in counted if not mine.isdisjoint(each.by.principals)), None)


def _outcome_fields(outcome: Outcome, question: Question) -> dict[str, Any]:
    """The fields of `OutcomeView` for an outcome."""
    return {
        "action": outcome.action,
        "value": outcome.value,
        "comment": outcome.comment,
        "human_feedback": outcome.text(question.options),
        "answered_by": ActorView.of(outcome.by) if outcome.by else None,
        "answered_at": iso_or_none(question.settled_at),
        "values": outcome.values,
        "arguments": outcome.arguments,
        "responses": tuple(map(response_view, outcome.responses)),
        "override": outcome.override,
    }


def _response_fields(given: Response, question: Question) -> dict[str, Any]:
    """The fields of `OutcomeView` for a response that has settled nothing."""
    counted = counted_of(question.progress.counted, given.actor)
    return {
        "action": given.action,
        "comment": given.comment,
        "human_feedback": "",
        "answered_by": ActorView.of(given.actor),
        "answered_at": iso(counted.at) if counted else None,
    }
