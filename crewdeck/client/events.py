"""What a stream carries, as frozen values.

`Event` itself stands for each type that this release doesn't know: its fields are in `fields`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field, JsonValue, PrivateAttr, ValidationError

from crewdeck.client.values import (
    Option,
    Policy,
    Progress,
    ReasonFlags,
    Response,
    RunError,
    ToolCall,
    Value,
)


class Event(Value):
    """Something that happened in a run, or (`stream_reset`, `snapshot_complete`) to the stream itself."""

    type: str
    execution_id: str = ""
    #: Its number in its run, from 1 and without gaps; 0 for what belongs to no run.
    seq: int = 0
    timestamp: str = ""
    event_id: str = ""
    _raw: str = PrivateAttr("")
    _cursor: str = PrivateAttr("")

    @property
    def raw(self) -> str:
        """The JSON text as it came, byte for byte."""
        return self._raw

    @property
    def cursor(self) -> str:
        """Go on after this event: `follow(run_id, after=cursor)`, `inbox(after=cursor)`."""
        return self._cursor

    @property
    def fields(self) -> dict[str, JsonValue]:
        """All that came, those included that this release doesn't know."""
        found: dict[str, JsonValue] = json.loads(self._raw)
        return found

    @property
    def last(self) -> bool:
        """Whether the run is over."""
        return self.type in _LAST


class RunStarted(Event):
    """The run was accepted."""

    crew: str = ""
    crew_id: str | None = None
    title: str = ""
    inputs: dict[str, JsonValue] = Field(default_factory=dict)
    requester: str = ""


class TaskStarted(Event):
    """A task of the crew began: number `number` of `total` (0: nobody knows, it is a flow)."""

    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    task: str = ""
    agent: str = ""
    number: int = 0
    total: int = 0


class TaskCompleted(TaskStarted):
    """A task of the crew is done."""


class RunChanged(Event):
    """The run goes on by itself with something that is different from here on: `change` says what."""

    crew_id: str | None = None
    change: str = ""


class RunProgress(Event):
    """What the crew says of its progress; a later one replaces it."""

    crew_id: str | None = None
    task_id: str | None = None
    text: str = ""


class FileAttached(Event):
    """The crew attached a file, or one of its tasks wrote it: `client.download(execution_id, file_id)`."""

    crew_id: str | None = None
    task_id: str | None = None
    file_id: str
    name: str = ""
    media_type: str = "application/octet-stream"
    #: In bytes.
    size: int = 0
    digest: str = ""
    description: str = ""


class FileRefused(Event):
    """A file that the crew made could not be attached; the run continues without it."""

    crew_id: str | None = None
    name: str = ""
    reason: str = ""


class HumanInputRequired(Event):
    """The run asks people something."""

    question_id: str
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    kind: str = "text"
    prompt: str = ""
    context: str = ""
    reason_flags: ReasonFlags = ReasonFlags()
    options: tuple[Option, ...] = ()
    round: int | None = None
    #: Of what is asked: an answer that carries it counts for nothing else.
    digest: str = ""
    deadline: str | None = None
    #: Forms: a flat JSON Schema.
    form: dict[str, JsonValue] | None = None
    #: Gates: the call that waits for the approval.
    action: ToolCall | None = None
    #: None: any one of the crew's approvers decides.
    policy: Policy | None = None


class HumanInputRecorded(Event):
    """A response was recorded, replaced or taken back, and more people are needed."""

    question_id: str
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    action: str = ""
    answered_by: str = ""
    surface: str = ""
    comment: str = ""
    progress: Progress = Progress()
    #: Of what is asked now. It differs from the former one if the response edited something.
    digest: str = ""
    #: Gates: the edited arguments. Reviews: the edited text.
    arguments: dict[str, JsonValue] | None = None
    #: Those of the arguments that can only be texts, or nothing.
    text_only: tuple[str, ...] = ()
    value: str | None = None


class HumanInputCompleted(Event):
    """A question has its outcome: by a person, by its deadline (`expire`) or by the run's end (`cancel`)."""

    question_id: str
    crew_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    kind: str = "text"
    action: str = ""
    value: JsonValue = None
    #: The outcome in words.
    human_feedback: str = ""
    answered_by: str | None = None
    surface: str | None = None
    #: Forms: the values by field. Gates: the arguments that were approved.
    values: dict[str, JsonValue] | None = None
    arguments: dict[str, JsonValue] | None = None
    #: One for each person who counted, in order.
    responses: tuple[Response, ...] = ()
    override: bool = False


class HumanInputReminded(Event):
    """A question has waited for a while."""

    question_id: str


class RunCompleted(Event):
    """The crew finished."""

    result: str = ""


class RunFailed(Event):
    """The run could not go on."""

    error: RunError


class RunCancelled(Event):
    """Somebody ended the run."""

    cancelled_by: str | None = None


class StreamReset(Event):
    """The cursor was no good: forget what was followed; everything that is still kept comes now."""


class SnapshotComplete(Event):
    """Inbox only: what was open when the stream began has been sent; what follows happens now."""


_TYPES: dict[str, type[Event]] = {
    "run_started": RunStarted,
    "task_started": TaskStarted,
    "task_completed": TaskCompleted,
    "run_changed": RunChanged,
    "run_progress": RunProgress,
    "file_attached": FileAttached,
    "file_refused": FileRefused,
    "human_input_required": HumanInputRequired,
    "human_input_recorded": HumanInputRecorded,
    "human_input_completed": HumanInputCompleted,
    "human_input_reminded": HumanInputReminded,
    "run_completed": RunCompleted,
    "run_failed": RunFailed,
    "run_cancelled": RunCancelled,
    "stream_reset": StreamReset,
    "snapshot_complete": SnapshotComplete,
}
_LAST = frozenset({"run_completed", "run_failed", "run_cancelled"})


def parse(raw: str, cursor: str) -> Event:
    """Read an event; one of an unknown type or shape is a plain `Event`. Raises ValueError: it is none."""
    found: Any = json.loads(raw)
    if not isinstance(found, dict):
        raise ValueError("an event is a JSON object")  # noqa: TRY004 - as JSONDecodeError is
    kind = str(found.get("type", ""))
    try:
        event = _TYPES.get(kind, Event).model_validate(found)
    except ValidationError:
        event = Event.model_validate({"type": kind, "execution_id": str(found.get("execution_id", ""))})
    event._raw, event._cursor = raw, cursor  # noqa: SLF001 - they are made here, and only here
    return event
