"""The public contract: what happened in a run, as the JSON objects that every stream carries.

A worker or a rule makes the *body* of an event; the store numbers it (`seq`, from 1, without gaps) and dates
it. `Event.public()` joins both into the object of the contract: the one encoder of every transport.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from bot.core import ids
from bot.core.question import Action, Option, Outcome, Question, QuestionKind, ReasonFlags
from bot.core.run import RunError
from bot.core.text import ValidJson, ValidText
from bot.core.value import Value


class RunStarted(Value):
    """The run was accepted; its first event. The crew's work begins when a worker claims it."""

    type: Literal["run_started"] = "run_started"
    crew_id: str
    crew: ValidText
    title: ValidText = ""
    inputs: dict[str, ValidJson] = Field(default_factory=dict)
    requester: ValidText = ""


class TaskStarted(Value):
    """A task of the crew began."""

    type: Literal["task_started"] = "task_started"
    crew_id: str
    task_id: str
    agent_id: str | None = None
    #: The task's name and the agent's role, in people's words.
    task: ValidText
    agent: ValidText = ""
    #: Which task this is (from 1), of how many; 0 in a flow, where nobody knows.
    number: int
    total: int


class TaskCompleted(Value):
    """A task of the crew is done."""

    type: Literal["task_completed"] = "task_completed"
    crew_id: str
    task_id: str
    agent_id: str | None = None
    task: ValidText
    agent: ValidText = ""
    number: int
    total: int


class RunChanged(Value):
    """The run goes on by itself with something that is different from here on."""

    type: Literal["run_changed"] = "run_changed"
    crew_id: str
    #: What, as a sentence for people.
    change: ValidText


class HumanInputRequired(Value):
    """The run asks people something."""

    type: Literal["human_input_required"] = "human_input_required"
    question_id: str
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    kind: QuestionKind
    prompt: ValidText
    context: ValidText = ""
    reason_flags: ReasonFlags = ReasonFlags()
    options: tuple[Option, ...] = ()
    round: int | None = None
    #: Of all that is asked; goes with an answer (`Question.digest`).
    digest: str = ""
    #: Seconds from `timestamp`, if it does not wait for ever.
    deadline_after: int | None = None


class HumanInputCompleted(Value):
    """A question has its outcome: by a person, by its deadline (`expire`), or by the run's end (`cancel`)."""

    type: Literal["human_input_completed"] = "human_input_completed"
    question_id: str
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    kind: QuestionKind
    action: Action
    value: ValidJson = None
    #: The outcome in words.
    human_feedback: ValidText
    answered_by: str | None = None
    surface: str | None = None


class HumanInputReminded(Value):
    """A question has waited for its `remind_after`."""

    type: Literal["human_input_reminded"] = "human_input_reminded"
    question_id: str


class RunCompleted(Value):
    """The crew finished; the last event."""

    type: Literal["run_completed"] = "run_completed"
    result: ValidText


class RunFailed(Value):
    """The run could not go on; the last event."""

    type: Literal["run_failed"] = "run_failed"
    error: RunError


class RunCancelled(Value):
    """Somebody ended the run; the last event."""

    type: Literal["run_cancelled"] = "run_cancelled"
    cancelled_by: str | None = None


UNREADABLE = "unreadable"
"""The type of an event whose record is damaged: all that is left of it is its number."""


class Unknown(Value):
    """An event of a type that this process doesn't know: a newer one wrote it."""

    type: str
    fields: dict[str, JsonValue] = Field(default_factory=dict)


Known = (
    RunStarted
    | TaskStarted
    | TaskCompleted
    | RunChanged
    | HumanInputRequired
    | HumanInputCompleted
    | HumanInputReminded
    | RunCompleted
    | RunFailed
    | RunCancelled
)
Body = Known | Unknown
_ADAPTER: TypeAdapter[Known] = TypeAdapter(Annotated[Known, Field(discriminator="type")])


class Event(Value):
    """A body, numbered and dated by the store."""

    run_id: str
    seq: int
    at: int
    body: Body

    @property
    def id(self) -> str:
        return ids.event_id(self.run_id, self.seq)

    @property
    def last(self) -> bool:
        """Whether this is the run's last event."""
        return isinstance(self.body, RunCompleted | RunFailed | RunCancelled)

    def public(self) -> dict[str, Any]:
        """The object of the public contract."""
        body = self.body
        fields = body.fields if isinstance(body, Unknown) else body.model_dump(mode="json", exclude={"type"})
        if isinstance(body, HumanInputRequired):
            after = body.deadline_after
            del fields["deadline_after"]
            fields["deadline"] = None if after is None else iso(self.at + after * 1000)
            if not body.digest:  # asked by the first release
                del fields["digest"]
        return {
            "type": body.type,
            "execution_id": self.run_id,
            "seq": self.seq,
            "timestamp": iso(self.at),
            "event_id": self.id,
            **fields,
        }


def parse_body(raw: str) -> Body:
    """Read a stored body; an unknown type or shape becomes `Unknown`."""
    try:
        return _ADAPTER.validate_json(raw)
    except ValidationError:
        fields = _FIELDS.validate_json(raw)
        return Unknown(type=str(fields.pop("type", "unknown")), fields=fields)


_FIELDS: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def iso(at: int) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
    )


def encode(value: object) -> bytes:
    """JSON as it goes over the wire: UTF-8, no spaces, keys in their given order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        errors="replace"
    )
