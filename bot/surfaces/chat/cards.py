"""What people see of a run and of a question, before any platform. Surfaces render it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum

from pydantic import JsonValue

from bot.core import ids
from bot.core.events.event import Event, RunProgress, TaskCompleted, TaskStarted
from bot.core.files import file_of_input
from bot.core.people.actor import Actor
from bot.core.people.policy import ANYONE, Policy
from bot.core.questions import decision
from bot.core.questions import question as questions
from bot.core.questions.question import Action, Option, Outcome, Question, QuestionKind
from bot.core.questions.response import Approve, Response
from bot.core.questions.tool_call import ToolCall, sha256_of
from bot.core.retry import HUMAN_DECISIONS
from bot.core.runs.run import Run, RunStatus
from bot.core.value import Value


class Task(Value):
    """A task of the crew, as far as the run has come."""

    number: int
    total: int
    name: str
    agent: str = ""
    started_at: int
    finished_at: int | None = None


class Progress(Value):
    """How far a run has come; built from its events, oldest first, one after the other."""

    tasks: tuple[Task, ...] = ()
    #: What the crew said of it last, in the task that is being worked on.
    note: str = ""

    def after(self, event: Event) -> Progress:
        match event.body:
            case TaskStarted() as body:
                earlier = (each for each in self.tasks if each.number < body.number)
                return Progress(tasks=(*earlier, _started(body, event.at)))
            case TaskCompleted() as body:
                tasks = tuple(_finished(each, body.number, event.at) for each in self.tasks)
                return Progress(tasks=tasks, note=self.note)
            case RunProgress() as body:
                return Progress(tasks=self.tasks, note=body.text)
            case _:
                return self


def _started(body: TaskStarted, at: int) -> Task:
    return Task(number=body.number, total=body.total, name=body.task, agent=body.agent, started_at=at)


def _finished(task: Task, number: int, at: int) -> Task:
    done = task.number == number and task.finished_at is None
    return task.model_copy(update={"finished_at": at}) if done else task


def progress(events: Iterable[Event]) -> Progress:
    """How far a run has come by these events, which are all of them."""
    so_far = Progress()
    for event in events:
        so_far = so_far.after(event)
    return so_far


class RunCard(Value):
    """A run: what it is, who wanted it, how far it is."""

    run_id: str
    title: str
    requester: Actor
    inputs: tuple[tuple[str, str], ...]
    status: RunStatus
    tasks: tuple[Task, ...] = ()
    #: What the crew said of its progress last.
    note: str = ""
    #: How many of its questions are open.
    waiting: int = 0
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    error: str = ""
    #: It failed in a way that somebody may want to try again.
    retriable: bool = False
    #: The run of which this one is a retry.
    retry_of: str | None = None
    cancelled_by: Actor | None = None
    #: Why its workspace is paused, if it is.
    paused: str = ""

    @property
    def short_id(self) -> str:
        return ids.short(self.run_id)

    @property
    def over(self) -> bool:
        return self.status.over

    @property
    def task(self) -> Task | None:
        """The task that is being worked on, or was last."""
        return self.tasks[-1] if self.tasks else None

    @property
    def seconds(self) -> int | None:
        """How long it took from start to end; None while it lasts."""
        if self.finished_at is None:
            return None
        return max(0, self.finished_at - (self.started_at or self.created_at)) // 1000


def run_card(
    run: Run, so_far: Progress, questions: Iterable[Question] = (), paused: str | None = None
) -> RunCard:
    """The card of a run, as it stands."""
    return RunCard(
        run_id=run.id,
        title=run.crew.title,
        requester=run.requester,
        inputs=tuple((name, _shown(value)) for name, value in run.inputs.items()),
        status=run.status,
        tasks=so_far.tasks,
        note=so_far.note,
        waiting=sum(question.open for question in questions),
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        error=run.error.message if run.error else "",
        retriable=run.error is not None and run.error.code not in HUMAN_DECISIONS,
        retry_of=run.retry_of,
        cancelled_by=run.cancelled_by,
        paused=paused or "",
    )


def _shown(value: JsonValue) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case _:
            file = file_of_input(value)
            return file.name if file is not None else json.dumps(value, ensure_ascii=False)


class OnTimeout(StrEnum):
    """What it means if nobody answers before the deadline."""

    EXPIRES = "expires"
    REJECTS = "rejects"
    CHOOSES = "chooses"


class Edit(Value):
    """Who changed what is to be approved, and when."""

    by: Actor
    at: int


class QuestionCard(Value):
    """A question: who asks what of whom, until when, and what became of it."""

    run_id: str
    question_id: str
    #: `Question.digest`: goes with whatever decides on this card.
    digest: str = ""
    title: str
    kind: QuestionKind
    asker: str
    prompt: str
    context: str = ""
    options: tuple[Option, ...] = ()
    policy: Policy
    #: The actions that decide it.
    actions: tuple[Action, ...] = ()
    #: How far its decision has come.
    progress: questions.Progress = questions.Progress()
    #: Gates only: the call that waits for the approval.
    call: ToolCall | None = None
    #: Of an edited review: the text before the first edit.
    proposed: str | None = None
    #: The newest edit, if there was one.
    edit: Edit | None = None
    #: Whether an approval may change what is approved.
    editable: bool = False
    round: int | None = None
    rounds: int | None = None
    deadline_at: int | None = None
    on_timeout: OnTimeout = OnTimeout.EXPIRES
    #: With `chooses`: the label.
    timeout_label: str = ""
    outcome: Outcome | None = None
    settled_at: int | None = None

    @property
    def open(self) -> bool:
        return self.outcome is None

    @property
    def deciders(self) -> tuple[str, ...]:
        """Principals who may answer, unless anyone may."""
        return self.policy.deciders

    @property
    def anyone(self) -> bool:
        return ANYONE in self.policy.deciders

    @property
    def edited(self) -> bool:
        """Whether what is to be approved differs from what was asked first."""
        if self.call is not None:
            return is_edited(self.call)
        return self.proposed is not None and self.proposed != self.context

    @property
    def words_count(self) -> bool:
        """Whether a reply in words can decide it."""
        return Action.RESPOND in self.actions

    @property
    def decision(self) -> str:
        """The outcome in words."""
        return self.outcome.text(self.options) if self.outcome else ""


def question_card(run: Run, question: Question, responses: Iterable[Response] = ()) -> QuestionCard:
    """The card of a question of this run, open or settled. Its `responses` tell who edited it."""
    on_timeout, label = _on_timeout(question)
    return QuestionCard(
        run_id=run.id,
        question_id=question.id,
        digest=question.digest,
        title=run.crew.title,
        kind=question.kind,
        asker=question.asker or run.crew.title,
        prompt=question.prompt,
        context=question.context,
        options=question.options,
        policy=question.policy,
        actions=question.actions,
        progress=question.progress,
        call=question.call,
        proposed=question.proposed,
        edit=_newest_edit(responses),
        editable=question.editable,
        round=question.round,
        rounds=question.rounds,
        deadline_at=question.deadline_at,
        on_timeout=on_timeout,
        timeout_label=label,
        outcome=question.outcome,
        settled_at=question.settled_at,
    )


def is_edited(call: ToolCall) -> bool:
    """Whether somebody changed the arguments of a call."""
    return sha256_of(call.arguments) != sha256_of(call.proposed)


def _newest_edit(responses: Iterable[Response]) -> Edit | None:
    edits = [each for each in responses if isinstance(each, Approve) and each.edits]
    return Edit(by=edits[-1].actor, at=edits[-1].at) if edits else None


def _on_timeout(question: Question) -> tuple[OnTimeout, str]:
    outcome = decision.timeout_outcome(question.deadline, question)
    match outcome.action:
        case Action.REJECT:
            return OnTimeout.REJECTS, ""
        case Action.CHOOSE:
            chosen = (o.label for o in question.options if o.id == outcome.value)
            return OnTimeout.CHOOSES, next(chosen, str(outcome.value))
        case _:
            return OnTimeout.EXPIRES, ""
