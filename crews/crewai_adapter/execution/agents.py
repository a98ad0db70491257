"""Patches of agents and tasks, so that those that a crew's or a flow's own code creates are covered too.

Crewdeck never receives them, so the patches are on the classes, where CrewAI executes them.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import operator
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import structlog
from crewai import Agent, Task
from crewai.agents.agent_builder.base_agent import BaseAgent
from crewai.agents.tools_handler import ToolsHandler
from crewai.tasks.llm_guardrail import LLMGuardrail
from crewai.tasks.task_output import TaskOutput
from crewai.tools import BaseTool
from crewai.utilities.i18n import get_i18n
from crewai.utilities.planning_handler import CrewPlanner

from bot.core.ports.queue import Fenced
from crews.crewai_adapter.execution import tasks
from crews.crewai_adapter.tools.shared import tools_of_run
from crews.definitions.definition import ASK_HUMAN
from crews.definitions.tool_options import declare_tools, is_not_asking
from crews.human_input.ask_human import AskHuman
from crews.run import failures
from crews.run.context import CURRENT
from crews.run.exits import RunExit

log = structlog.get_logger(__name__)

_AT_WORK: ContextVar[tuple[int, ...]] = ContextVar("crewdeck_agents_at_work", default=())
"""The agents that are at work here, one for the other."""


_OF_CREWAI: ContextVar[bool] = ContextVar("crewdeck_agent_of_crewai", default=False)
"""Whether an agent of CrewAI's own works here, which no crew knows: one that plans, or checks an output."""


def install() -> None:
    """Let agents ask people, work on several tasks at once, and end with their run."""
    if getattr(Agent, "_crewdeck_installed", False):
        return
    agent: Any = Agent
    agent.create_agent_executor = _equipped(_with_ask_human_among(agent.create_agent_executor))
    agent._prepare_kickoff = _equipped(_with_ask_human(agent._prepare_kickoff))  # noqa: SLF001 - a seam
    agent.execute_task, agent.aexecute_task = _allow_concurrent_tasks(agent.execute_task, agent.aexecute_task)
    task: Any = Task
    task._execute_task_async = _ending(task._execute_task_async)  # noqa: SLF001 - a seam
    for owner, name in ((CrewPlanner, "_handle_crew_planning"), (LLMGuardrail, "_validate_output")):
        setattr(owner, name, _of_crewai(getattr(owner, name)))
    tasks.install()
    agent._crewdeck_installed = True  # noqa: SLF001 - a seam


def _equipped(original: Callable[..., Any]) -> Callable[..., Any]:
    """Prepare an agent that a crew's or a flow's own code created like one of the crew."""

    @wraps(original)
    def equipped(agent: Agent, *args: Any, **kwargs: Any) -> Any:
        run = CURRENT.get()
        if run is not None:
            prepare(agent)
            given: Iterable[Any] = [*(agent.tools or ()), *(kwargs.get("tools") or ())]
            declare_tools(given, run.gates.tools.values())
        return original(agent, *args, **kwargs)

    return equipped


def _with_ask_human_among(original: Callable[..., None]) -> Callable[..., None]:
    """Give an agent ask_human for a task. A task's own tools take the place of its agent's."""

    @wraps(original)
    def create(agent: Agent, tools: list[BaseTool] | None = None, task: Task | None = None) -> None:
        given = _tools_for(agent, tools if tools is not None else agent.tools or [])
        original(agent, given, task)

    return create


def _with_ask_human(original: Callable[..., Any]) -> Callable[..., Any]:
    """Give an agent ask_human for its own `kickoff`, which takes the tools that the agent has."""

    @wraps(original)
    def prepare_kickoff(agent: Agent, *args: Any, **kwargs: Any) -> Any:
        before = agent.tools or []
        given = _tools_for(agent, before)
        if len(given) == len(before) and all(map(operator.is_, given, before)):
            return original(agent, *args, **kwargs)
        agent.tools = given
        try:
            return original(agent, *args, **kwargs)
        finally:
            # CrewAI adds tools of MCP servers.
            agent.tools = [*before, *(each for each in agent.tools if all(each is not own for own in given))]

    return prepare_kickoff


def _tools_for(agent: Agent, tools: list[BaseTool]) -> list[BaseTool]:
    """The tools with which an agent works in its run: those that it was given, and perhaps ask_human."""
    run = CURRENT.get()
    given = tools if run is None else tools_of_run(run, tools)
    return [*given, AskHuman()] if _lacks_ask_human(agent, given) else given


def _lacks_ask_human(agent: Agent, tools: Iterable[BaseTool]) -> bool:
    """Whether the run gives ask_human to this agent, and it isn't among its tools already."""
    run = CURRENT.get()
    if run is None or run.ask_human is False or is_not_asking(agent):
        return False
    if _OF_CREWAI.get() and not run.crewai_agents_ask:
        return False
    roles = {agent.role.strip(), (agent._original_role or agent.role).strip()}  # noqa: SLF001 - with placeholders
    if run.ask_human is not True and roles.isdisjoint(map(str.strip, run.ask_human)):
        return False
    return all(each.name != ASK_HUMAN for each in tools)


def _of_crewai(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        token = _OF_CREWAI.set(True)
        try:
            return original(*args, **kwargs)
        finally:
            _OF_CREWAI.reset(token)

    return call


class _BusyAgents:
    """The agents that work on a task. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agents: set[int] = set()

    def acquire(self, agent: Agent) -> bool:
        """Mark the agent as busy; whether it was free."""
        with self._lock:
            free = id(agent) not in self._agents
            self._agents.add(id(agent))
            return free

    def release(self, agent: Agent) -> None:
        with self._lock:
            self._agents.discard(id(agent))

    @contextmanager
    def working(self, agent: Agent) -> Iterator[Agent]:
        """The agent, or its copy where it is busy, works on a task while the block runs."""
        if id(agent) in _AT_WORK.get() and not _executing(agent):  # CrewAI retries the task.
            yield agent
            return
        if not self.acquire(agent):
            copied = _copy_of(agent)
            try:
                yield copied
            finally:
                agent._last_messages = copied._last_messages  # noqa: SLF001 - which the task's output has
            return
        token = _AT_WORK.set((*_AT_WORK.get(), id(agent)))
        try:
            yield agent
        finally:
            _AT_WORK.reset(token)
            self.release(agent)


def _allow_concurrent_tasks(
    plain: Callable[..., Any], awaited: Callable[..., Awaitable[Any]]
) -> tuple[Callable[..., Any], Callable[..., Awaitable[Any]]]:
    """Let an agent that is busy work on a second task, with an executor of its own.

    CrewAI gives each agent one executor, which refuses a second task ("Executor is already running"): of two
    tasks with `async_execution`, or of two colleagues who ask the same one for help.
    """
    busy = _BusyAgents()

    @wraps(plain)
    def execute(agent: Agent, *args: Any, **kwargs: Any) -> Any:
        with busy.working(agent) as worker:
            return plain(worker, *args, **kwargs)

    @wraps(awaited)
    async def aexecute(agent: Agent, *args: Any, **kwargs: Any) -> Any:
        with busy.working(agent) as worker:
            return await awaited(worker, *args, **kwargs)

    return execute, aexecute


def _executing(agent: Agent) -> bool:
    return bool(getattr(agent.agent_executor, "_is_executing", False))


def _copy_of(agent: Agent) -> Agent:
    """A copy of the agent that shares everything except the state of the current task."""
    copied = agent.model_copy()
    copied.agent_executor = None
    copied.tools_handler = ToolsHandler(cache=agent.tools_handler.cache)
    copied._last_messages = []  # noqa: SLF001 - a seam
    return copied


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
        except (RunExit, Fenced) as error:
            future.set_exception(error)
        except BaseException as error:
            log.exception("a task would have ended the process", run_id=run.run_id)
            future.set_exception(
                run.stop(failures.of_run(run.run_id, error, run.recorder.models.last_failure))
            )

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
