"""Stable ids of a run's crew, tasks and agents; CrewAI draws new ones whenever a crew is built."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from crewai import Crew, Task
from crewai.agents.agent_builder.base_agent import BaseAgent
from crewai.context import get_current_task_id

from bot.core import ids
from crews.definitions.placeholders import filled
from crews.run.token_usage import MANAGER


@dataclass(frozen=True)
class TaskIdentity:
    """The identity of a task of the crew, or of one call of a flow's method."""

    id: str
    name: str
    agent_id: str | None
    agent: str
    #: From 1, of how many; 0 where that can't be known.
    number: int
    total: int
    #: Of a flow's method: its name, and which call of it this is (from 0).
    method: str = ""
    call: int = 0

    @property
    def key(self) -> int | str:
        """What identifies it in the run, on every worker."""
        return f"{self.method}:{self.call}" if self.method else self.number

    @property
    def scope(self) -> str:
        """The prefix of the names of its steps."""
        return f"m:{self.key}" if self.method else task_scope(self.number)


METHOD: ContextVar[TaskIdentity | None] = ContextVar("crewdeck_method", default=None)
"""The flow's method that the current code is part of."""


TOOL_SCOPE: ContextVar[str | None] = ContextVar("crewdeck_within_tool", default=None)
"""The scope of the tool call that the current code is part of."""


def task_scope(number: int) -> str:
    """The scope of a task by its number; 0 for what belongs to none."""
    return f"t{number}"


class RunIdentity:
    """The identities of one run's tasks and agents, once its crew is built."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._agents: dict[str, str] = {}
        self._tasks: dict[str, TaskIdentity] = {}
        #: The crew; None before it is built, and where the run is a flow.
        self.crew: Crew | None = None
        #: Whether the crew or an agent has a memory, which is sorted with model calls of its own.
        self.remembers = False

    def learn(self, crew: Crew, inputs: Mapping[str, Any]) -> None:
        """Register the crew that was built for the run; names are shown with these inputs inserted."""
        self.crew = crew
        self.remembers = any(getattr(each, "memory", None) for each in (crew, *crew.agents))
        for number, member in enumerate(crew.agents, start=1):
            self._agents[str(member.id)] = ids.part_id(self._run_id, "agent", number)
        if crew.manager_agent is not None:
            self._agents[str(crew.manager_agent.id)] = ids.part_id(self._run_id, "agent", "manager")
        for number, task in enumerate(crew.tasks, start=1):
            agent = task.agent or crew.manager_agent
            self._tasks[str(task.id)] = TaskIdentity(
                id=ids.part_id(self._run_id, "task", number),
                name=filled(task.name, inputs) if task.name else _headline(filled(task.description, inputs)),
                agent_id=self.agent_id(agent),
                agent=filled(agent.role, inputs).strip() if agent is not None else "",
                number=number,
                total=len(crew.tasks),
            )

    def interpolated(self, crew: Crew, inputs: Mapping[str, Any]) -> None:
        """Update names after CrewAI has inserted inputs, which may have changed."""
        for task in crew.tasks:
            known = self.own(task)
            if known is not None:
                name = filled(task.name, inputs) if task.name else _headline(task.description)
                agent = task.agent.role.strip() if task.agent is not None else known.agent
                self._tasks[str(task.id)] = replace(known, name=name, agent=agent)

    def task(self, task: Task | None) -> TaskIdentity | None:
        """The crew's task that `task` is, or is delegated by; or a flow's method."""
        known = self._tasks.get(str(task.id)) if task is not None else None
        return known or self._tasks.get(get_current_task_id() or "") or METHOD.get()

    @property
    def scope(self) -> str:
        """The scope of what is done here: the tool call, the task or the flow's method that it is part of."""
        tool = TOOL_SCOPE.get()
        if tool is not None:
            return tool
        task = self.task(None)
        return task.scope if task is not None else task_scope(0)

    def method(self, name: str, call: int, number: int) -> TaskIdentity:
        """The identity of one call of a flow's method."""
        return TaskIdentity(
            id=ids.part_id(self._run_id, "method", name, call),
            name=name.replace("_", " ").strip().capitalize(),
            agent_id=None,
            agent="",
            number=number,
            total=0,
            method=name,
            call=call,
        )

    def is_task(self, scope: str) -> bool:
        """Whether this is the scope of one of the crew's tasks."""
        return any(scope == f"t{task.number}" for task in self._tasks.values())

    def own(self, task: object) -> TaskIdentity | None:
        """The crew's task that `task` is; None for delegated work."""
        return self._tasks.get(str(getattr(task, "id", "")))

    def member_with(self, model: object) -> str | None:
        """The first member of the crew with this very model: an agent's number, from 1, or the manager."""
        if self.crew is None:
            return None
        members: list[tuple[str, object]] = [
            (str(number), each) for number, each in enumerate(self.crew.agents, start=1)
        ]
        members.append((MANAGER, self.crew.manager_agent))
        return next((name for name, each in members if getattr(each, "llm", None) is model), None)

    def agent_id(self, agent: BaseAgent | None) -> str | None:
        return self._agents.get(str(agent.id)) if agent is not None else None


MAX_NAME_LENGTH = 80


def _headline(description: str) -> str:
    first = description.strip().splitlines()[0] if description.strip() else "task"
    return first if len(first) <= MAX_NAME_LENGTH else f"{first[: MAX_NAME_LENGTH - 1]}…"
