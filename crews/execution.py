"""One run while it is executed, and how that ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.core.model import RunError
from bot.core.ports import Fenced
from crews import failures
from crews.build import Built
from crews.context import RunContext
from crews.parts import TaskPart
from crews.progress import Progress, Progressed
from crews.signals import Leave, Stopped

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ending:
    """How an execution ended: with a result, with an error, with nothing to record, or unfinished."""

    result: str | None = None
    error: RunError | None = None
    #: It doesn't end: it leaves this worker.
    leave: Leave | None = None

    @classmethod
    def left(cls, why: Leave) -> Ending:
        """The run was told to leave."""
        return cls(error=why.error) if isinstance(why, Stopped) else cls(leave=why)

    @classmethod
    def of(cls, context: RunContext, kickoff: asyncio.Task[str]) -> Ending:
        """How a run's task ended, which is done."""
        if context.stopped is not None:
            if not kickoff.cancelled():
                kickoff.exception()  # seen: it is ours
            return cls.left(context.stopped)
        error = None if kickoff.cancelled() else kickoff.exception()
        if error is None and not kickoff.cancelled():
            return cls(result=kickoff.result())
        if error is None or isinstance(error, Fenced):
            return cls()
        log.error("the crew failed", run_id=context.run_id, exc_info=error)
        return cls(error=failures.of_run(context.run_id, error, context.steps.model_failure))

    @property
    def recorded(self) -> bool:
        return self.result is not None or self.error is not None


@dataclass
class Execution:
    """One run's, where the listeners on CrewAI's bus find its progress."""

    context: RunContext
    progress: Progress
    crew: Built | None = None
    kickoff: asyncio.Task[str] | None = field(default=None)
    #: CrewAI's tasks that were started in its course.
    tasks: list[Any] = field(default_factory=list)

    def interrupt(self) -> None:
        if self.kickoff is not None:
            self.kickoff.cancel()

    def progressed(self, kind: type[Progressed], part: TaskPart) -> Progressed:
        """The event that a part of the run was begun, or is done."""
        return kind(
            crew_id=self.context.crew_id,
            task_id=part.id,
            agent_id=part.agent_id,
            task=part.name,
            agent=part.agent,
            number=part.number,
            total=part.total,
        )
