"""Models of responses, and their construction from the core's values."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from bot.core.events.event import iso
from bot.core.forms import fields
from bot.core.people.actor import Actor
from bot.core.people.api_keys import Scope
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunError, RunStatus
from bot.core.runs.waiting import Wait, WaitFor


class View(BaseModel):
    """The base of responses. Clients have to ignore unknown fields, because more will be added."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class HealthView(View):
    """This process is alive."""

    status: Literal["healthy"] = "healthy"
    timestamp: str


class ActorView(View):
    """The person or program that did something."""

    surface: str
    name: str
    on_behalf_of: str | None = Field(None, description="As claimed by the caller.")

    @classmethod
    def of(cls, actor: Actor) -> ActorView:
        return cls(surface=actor.surface, name=actor.label, on_behalf_of=actor.on_behalf_of or None)


class CallerView(View):
    """The caller, and what they may do."""

    surface: str
    name: str
    scopes: tuple[Scope, ...]
    signed_in: bool = Field(description="Authenticated by a session of the console, not by a key.")


class CrewView(View):
    """A crew that can be started."""

    name: str
    title: str
    description: str
    inputs: tuple[fields.Field, ...]
    main_input: str | None

    @classmethod
    def of(cls, crew: Crew) -> CrewView:
        return cls(
            name=crew.name,
            title=crew.title,
            description=crew.description,
            inputs=crew.inputs,
            main_input=crew.main_input,
        )


class CrewProblemView(View):
    """Why a crew, or a project, can't be offered."""

    name: str
    problem: str
    remedy: str


class CrewsView(View):
    """The crews that workers have announced, and why others can't be offered."""

    crews: tuple[CrewView, ...]
    problems: tuple[CrewProblemView, ...]
    starting: tuple[str, ...] = Field(
        description="Projects whose worker is starting: more crews will be there."
    )


class WaitView(View):
    """Why a queued run has not started."""

    code: WaitFor
    message: str
    ahead: int | None = Field(description="With `turn` and `limit`: the runs of its crew ahead of it.")
    until: str | None = Field(description="With `retry`: when.")

    @classmethod
    def of(cls, wait: Wait) -> WaitView:
        return cls(code=wait.code, message=wait.message, ahead=wait.ahead, until=iso_or_none(wait.until))


class RunSummary(View):
    """A run, as in lists."""

    run_id: str
    crew: str
    title: str
    status: RunStatus
    waiting_for: WaitView | None = Field(description="Why the run waits, while it is queued.")
    inputs: dict[str, JsonValue]
    requester: ActorView
    created_at: str
    started_at: str | None
    finished_at: str | None
    error: RunError | None
    cancelled_by: ActorView | None
    retry_of: str | None = Field(description="The run of which this one is a retry.")


class RunsView(View):
    """A page of runs. It can be short, even empty, although others follow."""

    runs: tuple[RunSummary, ...]
    next: str | None = Field(None, description="The `cursor` of the next page; null: this is the last one.")


class StartedView(View):
    """A run that was started, by this request or by an identical earlier one."""

    run_id: str
    crew: str
    status: RunStatus
    created_at: str


class EventView(View):
    """An event of a run: common fields, and those of its type."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    execution_id: str | None = None
    seq: int | None = None
    timestamp: str | None = None
    event_id: str | None = None


class EventsView(View):
    """Events in order."""

    events: tuple[EventView, ...]


class FieldError(View):
    """The error of one field."""

    field: str
    reason: str


class ProblemView(View):
    """An error (RFC 9457)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    code: str = Field(description="Stable; see `/docs`.")
    detail: str
    errors: tuple[FieldError, ...] = ()


def summary(run: Run, wait: Wait | None = None) -> RunSummary:
    """A run for lists."""
    return RunSummary(**summary_fields(run, wait))


def started(run: Run) -> StartedView:
    """The response to the start of a run."""
    return StartedView(run_id=run.id, crew=run.crew.name, status=run.status, created_at=iso(run.created_at))


def summary_fields(run: Run, wait: Wait | None) -> dict[str, Any]:
    """The fields of `RunSummary`."""
    return {
        "run_id": run.id,
        "crew": run.crew.name,
        "title": run.crew.title,
        "status": run.status,
        "waiting_for": WaitView.of(wait) if wait else None,
        "inputs": run.inputs,
        "requester": ActorView.of(run.requester),
        "created_at": iso(run.created_at),
        "started_at": iso_or_none(run.started_at),
        "finished_at": iso_or_none(run.finished_at),
        "error": run.error,
        "cancelled_by": ActorView.of(run.cancelled_by) if run.cancelled_by else None,
        "retry_of": run.retry_of,
    }


def iso_or_none(at: int | None) -> str | None:
    """A time as ISO 8601 text."""
    return None if at is None else iso(at)
