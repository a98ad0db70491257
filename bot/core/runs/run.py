"""Runs, from the request to start one to its end."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from bot.core.people.actor import Actor
from bot.core.people.identities import names_of
from bot.core.people.policy import Policy, can_decide, resolve
from bot.core.runs.crew import Crew
from bot.core.runs.place import Place
from bot.core.text import ValidJson, ValidText
from bot.core.value import Value


class RunStatus(StrEnum):
    """The state of a run; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}


class RunError(Value):
    """Why a run failed: a code for programs, a sentence for people."""

    code: str
    message: ValidText


class NewRun(Value):
    """The request to start a run."""

    id: str
    crew: Crew
    inputs: dict[str, ValidJson] = Field(default_factory=dict)
    requester: Actor
    approvers: Policy
    cancellers: Policy
    place: Place | None = None
    #: The run is queued once its place is complete (`Outbox.mark_delivered`).
    awaiting_thread: bool = False
    retry_of: str | None = None
    #: Further surfaces that follow the run, with its place on each.
    followers: tuple[Place, ...] = ()


class Run(Value):
    """One kickoff of a crew. `id` is the public `execution_id`."""

    id: str
    crew: Crew
    status: RunStatus
    inputs: dict[str, ValidJson] = Field(default_factory=dict)
    requester: Actor
    approvers: Policy
    cancellers: Policy
    place: Place | None = None
    awaiting_thread: bool = False
    retry_of: str | None = None
    followers: tuple[Place, ...] = ()
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    result: ValidText | None = None
    error: RunError | None = None
    cancelled_by: Actor | None = None
    #: Execution time in milliseconds, as last reported by a worker.
    worked: int = 0
    #: The `seq` of the newest event.
    seq: int = 0
    epoch: int = 0

    @property
    def cursor(self) -> str:
        """The position of this run in lists: `RunFilter.before`."""
        return f"{self.created_at}:{self.id}"


def can_view(actor: Actor, run: Run) -> bool:
    """Whether `actor` may see the run: its requester, and whoever may decide in it or cancel it."""
    if actor.admin or not names_of(actor).isdisjoint(run.requester.authenticated):
        return True
    if can_decide(actor, run.approvers) or can_decide(actor, run.cancellers):
        return True
    admitted = run.crew.allowed_memberships
    return any(can_decide(actor, resolve(each, run.requester, admitted)) for each in run.crew.policies)


class Claim(Value):
    """A worker's claim on a run. `epoch` is the fencing token that invalidates earlier claims."""

    run: Run
    worker: str
    epoch: int
    #: Whether steps or questions of it may be recorded; False: none are.
    begun: bool = True
