"""The execution of one run, and how it ends."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from bot.core.ports.queue import Fenced
from bot.core.runs.run import RunError
from bot.core.text import valid
from crews.building.build import Blueprint, Built
from crews.crewai_adapter.execution import kickoff
from crews.crewai_adapter.execution.human_input_provider import HumanInputProvider
from crews.run import failures
from crews.run.context import CURRENT, RunContext
from crews.run.exits import RunExit, Stopped
from crews.run.identity import TaskIdentity
from crews.run.progress import Progress, Progressed
from crews.run.threads import Outcome, Raised

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Ending:
    """How an execution ended: with a result, with an error, with nothing to record, or unfinished."""

    result: str | None = None
    error: RunError | None = None
    #: It doesn't end: it leaves this worker.
    leave: RunExit | None = None

    @classmethod
    def left(cls, why: RunExit) -> Ending:
        """The run was told to leave."""
        return cls(error=why.error) if isinstance(why, Stopped) else cls(leave=why)

    @classmethod
    def of_failed_build(cls, context: RunContext, outcome: Outcome[Built] | None) -> Ending:
        """The crew could not be built, or the run was told to leave meanwhile."""
        if context.stopped is not None or not isinstance(outcome, Raised):
            return cls.left(context.leave(Stopped()))
        log.error("the crew can't be built", run_id=context.run_id, exc_info=outcome.error)
        return cls(error=failures.of_build(outcome.error))

    @classmethod
    def of(cls, context: RunContext, outcome: Outcome[str] | None) -> Ending:
        """The outcome of the run's thread; None if the run was told to leave before."""
        if context.stopped is not None or outcome is None:
            return cls.left(context.leave(Stopped()))
        if not isinstance(outcome, Raised):
            return cls(result=valid(outcome.result))
        if isinstance(outcome.error, Fenced):
            return cls()
        log.error("the crew failed", run_id=context.run_id, exc_info=outcome.error)
        return cls(error=failures.of_run(context.run_id, outcome.error, context.recorder.models.last_failure))

    @property
    def recorded(self) -> bool:
        return self.result is not None or self.error is not None


@dataclass
class Execution:
    """The execution of one run; listeners on CrewAI's bus find its progress here."""

    context: RunContext
    progress: Progress
    #: The crew as it was when the run came here: edits are for runs that come later.
    blueprint: Blueprint
    crew: Built | None = None
    #: CrewAI's tasks that were started in its course.
    tasks: list[Any] = field(default_factory=list)
    #: What the run's threads find in their context.
    variables: contextvars.Context = field(default_factory=contextvars.copy_context)

    def enter(self, provider: HumanInputProvider) -> None:
        """Set what CrewAI, our tools and our listeners find there."""

        def enter() -> None:
            CURRENT.set(self.context)
            kickoff.enter(self.context.run_id, provider)

        self.variables.run(enter)

    def begin(self, call: Callable[[], T]) -> asyncio.Future[Outcome[T]]:
        """Call this in a thread of the run's own, one after the other."""
        return self.context.threads.start(call, self.variables)

    async def outcome_of(
        self, work: asyncio.Future[Outcome[T]], within: float | None = None
    ) -> Outcome[T] | None:
        """The outcome of the work, or None after so many seconds.

        None as soon as the run has to leave, whatever the thread does then.
        """
        either: tuple[asyncio.Future[Any], ...] = (work, self.context.leaving)
        timeout = None if within is None else max(0.0, within)
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None

    def progress_event(self, kind: type[Progressed], task: TaskIdentity) -> Progressed:
        """The event that a task, or a call of a flow's method, was begun, or is done."""
        return kind(
            crew_id=self.context.crew_id,
            task_id=task.id,
            agent_id=task.agent_id,
            task=task.name,
            agent=task.agent,
            number=task.number,
            total=task.total,
        )
