"""Patches of agents and tasks, so that those that a crew's or a flow's own code creates are covered too.

Crewdeck never receives them, so the patches are on the classes, where CrewAI executes them.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextvars import ContextVar
from functools import wraps
from typing import Any

import structlog
from crewai import Agent, Task
from crewai.agents.agent_builder.base_agent import BaseAgent
from crewai.agents.tools_handler import ToolsHandler
from crewai.tasks.task_output import TaskOutput
from crewai.utilities.i18n import get_i18n

from bot.core.ports import Fenced
from crews.crewai_adapter import task_outputs
from crews.definitions.tool_options import declare_tools
from crews.flows.replay import FLOW_REPLAY
from crews.run import failures
from crews.run.context import CURRENT
from crews.run.exits import Leave

log = structlog.get_logger(__name__)

_AT_WORK: ContextVar[tuple[int, ...]] = ContextVar("crewdeck_agents_at_work", default=())
"""The agents that are at work here, one for the other."""


def install() -> None:
    """Let agents ask people, work on several tasks at once, and end with their run."""
    if getattr(Agent, "_crewdeck_installed", False):
        return
    for name in ("create_agent_executor", "_prepare_kickoff"):
        setattr(Agent, name, _equipped(getattr(Agent, name)))
    agent: Any = Agent
    agent.execute_task = _side_by_side(agent.execute_task)
    task: Any = Task
    task._execute_task_async = _ending(task._execute_task_async)  # noqa: SLF001 - a seam
    task_outputs.install()
    agent._crewdeck_installed = True  # noqa: SLF001 - a seam


def _equipped(original: Callable[..., Any]) -> Callable[..., Any]:
    """Prepare an agent that a flow's method created like one of a crew."""

    @wraps(original)
    def equipped(agent: Agent, *args: Any, **kwargs: Any) -> Any:
        replay = FLOW_REPLAY.get()
        if replay is not None:
            prepare(agent)
            given: Iterable[Any] = [*(agent.tools or ()), *(kwargs.get("tools") or ())]
            declare_tools(given, replay.tools)
        return original(agent, *args, **kwargs)

    return equipped


class _Busy:
    """The agents that work on a task. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agents: set[int] = set()

    def take(self, agent: Agent) -> bool:
        """Mark the agent as busy; whether it was free."""
        with self._lock:
            free = id(agent) not in self._agents
            self._agents.add(id(agent))
            return free

    def give(self, agent: Agent) -> None:
        with self._lock:
            self._agents.discard(id(agent))


def _side_by_side(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let an agent that is busy work on a second task, with an executor of its own.

    CrewAI gives each agent one executor, which refuses a second task ("Executor is already running"): of two
    tasks with `async_execution`, or of two colleagues who ask the same one for help.
    """
    busy = _Busy()

    @wraps(original)
    def execute(agent: Agent, *args: Any, **kwargs: Any) -> Any:
        if id(agent) in _AT_WORK.get() and not _executing(agent):  # CrewAI retries the task.
            return original(agent, *args, **kwargs)
        if not busy.take(agent):
            twin = _twin(agent)
            try:
                return original(twin, *args, **kwargs)
            finally:
                agent._last_messages = twin._last_messages  # noqa: SLF001 - which the task's output has
        token = _AT_WORK.set((*_AT_WORK.get(), id(agent)))
        try:
            return original(agent, *args, **kwargs)
        finally:
            _AT_WORK.reset(token)
            busy.give(agent)

    return execute


def _executing(agent: Agent) -> bool:
    return bool(getattr(agent.agent_executor, "_is_executing", False))


def _twin(agent: Agent) -> Agent:
    """A copy of the agent that shares everything except the state of the current task."""
    twin = agent.model_copy()
    twin.agent_executor = None
    twin.tools_handler = ToolsHandler(cache=agent.tools_handler.cache)
    twin._last_messages = []  # noqa: SLF001 - a seam
    return twin


def _ending(original: Callable[..., None]) -> Callable[..., None]:
    """Let any exception of a task with `async_execution` reach the code that waits for it.

    CrewAI only passes on Exceptions, so a run that has to leave would wait forever.
    """

    @wraps(original)
    def execute_async(
        task: Task, agent: BaseAgent | None, context: str | None, tools: Any, future: Future[TaskOutput]
    ) -> None:
        run = CURRENT.get()
        if run is None:
            original(task, agent, context, tools, future)
            return
        try:
            with run.threads.counted():
                original(task, agent, context, tools, future)
        except (Leave, Fenced) as error:
            future.set_exception(error)
        except BaseException as error:
            log.exception("a task would have ended the process", run_id=run.run_id)
            future.set_exception(run.stop(failures.of_run(run.run_id, error, run.recorder.model_failure)))

    return execute_async


def prepare(agent: Any) -> None:
    """Set what every agent needs so that people can take their time."""
    # It would count tokens with an extra request to OpenAI for each tool result.
    agent.use_better_compaction = False
    # It would count the time that people take, and fail the task.
    agent.max_execution_time = None


def manager_texts() -> dict[str, Any]:
    """Role, goal and backstory of CrewAI's own manager of a hierarchical crew."""
    texts = get_i18n()
    return {
        part: texts.retrieve("hierarchical_manager_agent", part) for part in ("role", "goal", "backstory")
    }
