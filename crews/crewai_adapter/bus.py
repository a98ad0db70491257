"""CrewAI's event bus: what is heard there of the runs, and what is told to its listeners."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from crewai.events import crewai_event_bus, event_bus
from crewai.events.event_listener import event_listener
from crewai.events.types.task_events import TaskCompletedEvent, TaskStartedEvent

from bot.core.event import TaskCompleted, TaskStarted
from bot.core.question import Question
from crews.crewai_adapter.bus_events import HumanInputCompletedEvent, HumanInputRequiredEvent
from crews.definitions.build import Built
from crews.run.context import CURRENT
from crews.run.execution import Execution
from crews.run.identity import TaskPart
from crews.run.progress import Progress, Progressed

Listener = Callable[..., Awaitable[Any]]


class ListenerExited(Exception):  # noqa: N818 - says what happened
    """A listener raised what would have ended the bus: the other listeners are called all the same."""


def install() -> None:
    """Let a listener that calls `sys.exit()` harm nobody: CrewAI catches Exceptions alone."""
    bus: Any = type(crewai_event_bus)
    if getattr(bus, "_crewdeck_installed", False):
        return
    module: Any = event_bus
    module.is_call_handler_safe = _called_safely(module.is_call_handler_safe)
    bus._acall_handlers = _awaited_safely(bus._acall_handlers)  # noqa: SLF001 - a seam
    bus._crewdeck_installed = True  # noqa: SLF001 - a seam


def _called_safely(original: Callable[..., Exception | None]) -> Callable[..., Exception | None]:
    @wraps(original)
    def call(*args: Any) -> Exception | None:
        try:
            return original(*args)
        except BaseException as error:  # noqa: BLE001 - whatever a listener raises
            return ListenerExited(type(error).__name__)

    return call


def _awaited_safely(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @wraps(original)
    async def call(bus: Any, source: Any, event: Any, handlers: Iterable[Listener], state: Any) -> None:
        await original(bus, source, event, frozenset(map(_safe, handlers)), state)

    return call


def _safe(listener: Listener) -> Listener:
    @wraps(listener)
    async def call(*args: Any) -> Any:
        try:
            return await listener(*args)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise ListenerExited(type(error).__name__) from error

    return call


def listen(executions: Mapping[str, Execution]) -> None:
    """From now on these runs, by their ids, are told of their progress."""

    @crewai_event_bus.on(TaskStartedEvent)
    def started(source: Any, event: TaskStartedEvent) -> None:
        _note(executions, TaskStarted, source, event)

    @crewai_event_bus.on(TaskCompletedEvent)
    def completed(source: Any, event: TaskCompletedEvent) -> None:
        _note(executions, TaskCompleted, source, event)


def _note(
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
    part = run.parts.own(source)
    if part is not None:
        execution.progress.note(event.emission_sequence or 0, execution.progressed(kind, part))


def forget(tasks: Iterable[Any]) -> None:
    """These are over. CrewAI's own listener would keep a cancelled task, and with it the crew, for ever."""
    for task in tasks:
        event_listener.execution_spans.pop(task, None)


class Announcer:
    """Tells CrewAI's listeners of questions; their task's start is recorded first."""

    def __init__(self, progress: Progress, executions: Mapping[str, Execution]) -> None:
        self._progress = progress
        self._executions = executions

    async def before(self, task: TaskPart | None) -> None:
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
