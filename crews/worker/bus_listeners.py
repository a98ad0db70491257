"""CrewAI's event bus: progress of the runs is read from it, and questions are announced on it."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
from collections.abc import Callable, Mapping
from typing import Any

from crewai.events import crewai_event_bus
from crewai.events.types.task_events import TaskCompletedEvent, TaskStartedEvent

from bot.core.events.event import TaskCompleted, TaskStarted
from bot.core.questions.question import Question
from crews.building.build import Built
from crews.crewai_adapter import bus
from crews.run.context import CURRENT
from crews.run.identity import TaskIdentity
from crews.run.progress import Progress, Progressed
from crews.worker.bus_events import HumanInputCompletedEvent, HumanInputRequiredEvent
from crews.worker.execution import Execution


def listen(executions: Mapping[str, Execution]) -> Callable[[], None]:
    """Report the progress of these runs (by id) to them, until what is returned is called."""

    def heard(source: Any, event: Any) -> None:
        if isinstance(event, TaskStartedEvent):
            _report_progress(executions, TaskStarted, source, event)
        elif isinstance(event, TaskCompletedEvent):
            _report_progress(executions, TaskCompleted, source, event)

    return bus.tap(heard)


def _report_progress(
    executions: Mapping[str, Execution],
    kind: type[Progressed],
    source: Any,
    event: TaskStartedEvent | TaskCompletedEvent,
) -> None:
    run = CURRENT.get()
    execution = executions.get(run.run_id) if run is not None else None
    if run is None or execution is None:
        return
    if kind is TaskStarted:
        execution.tasks.append(source)
    task = run.identity.own(source)
    if task is not None:
        execution.progress.add(event.emission_sequence or 0, execution.progress_event(kind, task))


class BusAnnouncer:
    """Tells CrewAI's listeners of questions; their task's start is recorded first."""

    def __init__(self, progress: Progress, executions: Mapping[str, Execution]) -> None:
        self._progress = progress
        self._executions = executions

    async def before(self, task: TaskIdentity | None) -> None:
        if task is not None:
            await self._progress.started(task.id)

    def asked(self, question: Question) -> None:
        crewai_event_bus.emit(self._crew(question), HumanInputRequiredEvent.of(question))

    def answered(self, question: Question) -> None:
        if question.outcome is not None:
            crewai_event_bus.emit(
                self._crew(question), HumanInputCompletedEvent.of(question, question.outcome)
            )

    def _crew(self, question: Question) -> Built | None:
        execution = self._executions.get(question.run_id)
        return execution.crew if execution is not None else None
