"""The events of a run: the public contract that every stream carries as JSON objects.

A worker or a rule creates the *body* of an event; the store numbers it (`seq`, from 1, without gaps) and
adds its time. `Event.public()` combines both into the public object, which all transports encode alike.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from bot.core import ids
from bot.core.questions.question import (
    Action,
    Option,
    QuestionKind,
    ReasonFlags,
)
from bot.core.runs.run import RunError
from bot.core.text import ValidJson, ValidText
from bot.core.value import Value


class RunStarted(Value):
    """The first event: the run was accepted. Its work begins when a worker claims it."""

    type: Literal["run_started"] = "run_started"
    crew_id: str
    crew: ValidText
    title: ValidText = ""
    inputs: dict[str, ValidJson] = Field(default_factory=dict)
    requester: ValidText = ""


class TaskStarted(Value):
    """A task of the crew started."""

    type: Literal["task_started"] = "task_started"
    crew_id: str
    task_id: str
    agent_id: str | None = None
    #: The task's name and the agent's role, as people read them.
    task: ValidText
    agent: ValidText = ""
    #: The position of the task (from 1) and the number of tasks; 0 in a flow, where the number is unknown.
    number: int
    total: int


class TaskCompleted(Value):
    """A task of the crew finished."""

    type: Literal["task_completed"] = "task_completed"
    crew_id: str
    task_id: str
    agent_id: str | None = None
    task: ValidText
    agent: ValidText = ""
    number: int
    total: int


class RunChanged(Value):
    """The run continues by itself with a changed crew or model."""

    type: Literal["run_changed"] = "run_changed"
    crew_id: str
    #: A sentence that says what changed.
    change: ValidText


class RunProgress(Value):
    """What the crew says of its progress; a later one replaces it."""

    type: Literal["run_progress"] = "run_progress"
    crew_id: str
    task_id: str | None = None
    text: ValidText


class FileAttached(Value):
    """The crew attached a file, or one of its tasks wrote it."""

    type: Literal["file_attached"] = "file_attached"
    crew_id: str
    task_id: str | None = None
    file_id: str
    name: ValidText
    media_type: str
    #: In bytes.
    size: int
    #: `sha256:` and 64 hexadecimal digits.
    digest: str
    description: ValidText = ""


class FileRefused(Value):
    """A file that the crew made can't be attached; the run continues without it."""

    type: Literal["file_refused"] = "file_refused"
    crew_id: str
    name: ValidText
    #: A sentence for people.
    reason: ValidText


class GuardedAction(Value):
    """A tool call that waits for an approval, without secret values."""

    tool: str
    title: ValidText = ""
    arguments: dict[str, ValidJson]
    #: The arguments that an approval may change, and the names of those that are secret.
    editable: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    #: The arguments that can only be texts, or nothing: `5` is a text there.
    text_only: tuple[str, ...] = ()
    digest: str


class PolicyView(Value):
    """A policy in its author's words."""

    name: str = ""
    version: str = ""
    who: tuple[str, ...] = ()
    not_: tuple[str, ...] = Field(default=(), alias="not")
    need: int = 1
    per_group: dict[str, int] = Field(default_factory=dict)


class ProgressView(Value):
    """How far an open question is from its outcome."""

    approved: int
    need: int
    missing: tuple[str, ...] = ()


class ResponseView(Value):
    """What one person said."""

    answered_by: str
    surface: str
    action: Action
    value: ValidJson = None
    comment: ValidText = ""
    #: ISO 8601.
    at: str
    override: bool = False


class HumanInputRequired(Value):
    """The run asks people a question."""

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
    #: The digest of everything that is asked; to be sent along with an answer (`Question.digest`).
    digest: str = ""
    #: Seconds after `timestamp`; None if the question has no deadline.
    deadline_after: int | None = None
    #: Kind `form`: a flat JSON Schema.
    form: dict[str, ValidJson] | None = None
    #: Gates: the call that waits for the approval.
    action: GuardedAction | None = None
    #: Who decides, where it isn't any one of the crew's `approvers`.
    policy: PolicyView | None = None


class HumanInputRecorded(Value):
    """A response was recorded, changed or taken back, and the question is still open."""

    type: Literal["human_input_recorded"] = "human_input_recorded"
    question_id: str
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    action: Action
    answered_by: str
    surface: str
    comment: ValidText = ""
    progress: ProgressView
    #: The digest of what is asked now. It differs from the former one if the response edited something.
    digest: str
    #: Gates, if the response edited the arguments: the arguments as they stand now.
    arguments: dict[str, ValidJson] | None = None
    #: Those of them that can only be texts, or nothing.
    text_only: tuple[str, ...] = ()
    #: Reviews, if the response edited the text: the text as it stands now.
    value: ValidText | None = None


class HumanInputCompleted(Value):
    """A question has its outcome: from a person, its deadline (`expire`) or the run's end (`cancel`)."""

    type: Literal["human_input_completed"] = "human_input_completed"
    question_id: str
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    kind: QuestionKind
    action: Action
    value: ValidJson = None
    #: The outcome as text.
    human_feedback: ValidText
    answered_by: str | None = None
    surface: str | None = None
    #: Forms: the values by field. Gates: the arguments that were approved.
    values: dict[str, ValidJson] | None = None
    arguments: dict[str, ValidJson] | None = None
    #: One entry for each person who counted, in order.
    responses: tuple[ResponseView, ...] = ()
    #: An administrator settled it, although the policy doesn't name them.
    override: bool = False


class HumanInputReminded(Value):
    """A question has been open for its `remind_after`."""

    type: Literal["human_input_reminded"] = "human_input_reminded"
    question_id: str
    #: Who has still to decide.
    progress: ProgressView | None = None


class RunCompleted(Value):
    """The crew finished; the last event."""

    type: Literal["run_completed"] = "run_completed"
    result: ValidText


class RunFailed(Value):
    """The run failed; the last event."""

    type: Literal["run_failed"] = "run_failed"
    error: RunError


class RunCancelled(Value):
    """The run was cancelled; the last event."""

    type: Literal["run_cancelled"] = "run_cancelled"
    cancelled_by: str | None = None


UNREADABLE = "unreadable"
"""The type of an event whose record is damaged; only its number is known."""


class Unknown(Value):
    """An event whose type this process doesn't know, written by a newer release."""

    type: str
    fields: dict[str, JsonValue] = Field(default_factory=dict)


Known = (
    RunStarted
    | TaskStarted
    | TaskCompleted
    | RunChanged
    | RunProgress
    | FileAttached
    | FileRefused
    | HumanInputRequired
    | HumanInputRecorded
    | HumanInputCompleted
    | HumanInputReminded
    | RunCompleted
    | RunFailed
    | RunCancelled
)
Body = Known | Unknown
_ADAPTER: TypeAdapter[Known] = TypeAdapter(Annotated[Known, Field(discriminator="type")])


class Event(Value):
    """An event: its body with the number and the time that the store gave it."""

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
        """The public JSON object of the event."""
        body = self.body
        fields = body.fields if isinstance(body, Unknown) else body.model_dump(mode="json", exclude={"type"})
        if isinstance(body, HumanInputRequired):
            after = body.deadline_after
            del fields["deadline_after"]
            fields["deadline"] = None if after is None else iso(self.at + after * 1000)
            if not body.digest:  # written by the first release, which had no digests
                del fields["digest"]
        return {
            "type": body.type,
            "execution_id": self.run_id,
            "seq": self.seq,
            "timestamp": iso(self.at),
            "event_id": self.id,
            **fields,
        }


class PublishedEvent(NamedTuple):
    """An event as a wake-up carries it, unparsed: most processes don't follow its run."""

    run_id: str
    seq: int
    at: int
    body: str

    def parse(self) -> Event:
        """Raises ValueError, LookupError or RecursionError if the body is damaged."""
        return Event(run_id=self.run_id, seq=self.seq, at=self.at, body=parse_body(self.body))


def parse_body(raw: str) -> Body:
    """Parse a stored body; an unknown type or shape becomes `Unknown`."""
    try:
        return _ADAPTER.validate_json(raw)
    except ValidationError:
        fields = _FIELDS.validate_json(raw)
        return Unknown(type=str(fields.pop("type", "unknown")), fields=fields)


_FIELDS: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def iso(at: int) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(value: object) -> bytes:
    """Encode JSON as it is sent: UTF-8, without spaces, with keys in their given order."""
    return _ENCODER.encode(value).encode(errors="replace")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
"""Made once: `json.dumps` makes one for each value that it writes in another way than its own."""
