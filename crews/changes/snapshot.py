"""A snapshot of a crew's definition, and the differences between two snapshots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from crewai import Crew, Task
from crewai.agents.agent_builder.base_agent import BaseAgent
from pydantic import BaseModel, ConfigDict

from crews.journal.fingerprints import fingerprint, shape
from crews.run.nondeterminism import tools_changed

_DATES = re.compile(
    r"\d+|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tues?|Wednes|Thurs?|Fri|Satur|Sun)(?:[a-z]*)\b"
)


MANAGER = "the manager"
"""The manager of a hierarchical crew, as it is named to people."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AgentSnapshot(_Part):
    """An agent. Texts are kept as fingerprints."""

    goal: str
    backstory: str
    model: str
    tools: tuple[str, ...]
    delegates: bool


class TaskSnapshot(_Part):
    """A task. Texts are kept as fingerprints."""

    name: str
    agent: str
    description: str
    expected_output: str
    tools: tuple[str, ...]
    context: tuple[str, ...]
    #: The fingerprint of the output's schema; empty for plain text.
    output: str = ""


class CrewSnapshot(_Part):
    """A crew: its agents by role, its tasks in their order."""

    agents: Mapping[str, AgentSnapshot]
    tasks: tuple[TaskSnapshot, ...]
    #: The manager's model; empty if there is none, None where an earlier release noted nothing of it.
    manager: str | None = None

    @classmethod
    def of(cls, crew: Crew, *, literal: bool) -> CrewSnapshot:
        """The snapshot of a built crew. Without `literal`, dates and numbers in its texts are ignored."""
        text = fingerprint if literal else _undated
        agents: dict[str, AgentSnapshot] = {}
        for agent in crew.agents:
            agents[_unique(agent.role.strip(), agents)] = AgentSnapshot(
                goal=text(agent.goal),
                backstory=text(agent.backstory),
                model=_model(agent.llm),
                tools=_tools(agent),
                delegates=bool(agent.allow_delegation) or crew.manager_agent is not None,
            )
        names = {str(task.id): name_of(task, number) for number, task in enumerate(crew.tasks, start=1)}
        tasks = (
            TaskSnapshot(
                name=names[str(task.id)],
                agent=task.agent.role.strip() if task.agent is not None else "",
                description=text(task.description),
                expected_output=text(task.expected_output),
                tools=_own_tools(task),
                context=_context(task, names),
                output=_output(task),
            )
            for task in crew.tasks
        )
        return cls(agents=agents, tasks=tuple(tasks), manager=_manager(crew))

    @property
    def models(self) -> dict[str, str]:
        """The model of each agent, by the name that people read."""
        managers = {MANAGER: self.manager} if self.manager is not None else {}
        return {_agent(role): agent.model for role, agent in self.agents.items()} | managers

    def changes_since(self, before: CrewSnapshot, finished: int) -> list[str]:
        """The differences in words. The first `finished` tasks are ignored."""
        over = {task.name for task in before.tasks[:finished]}
        managed = [f"{MANAGER}: model"] if MANAGER in self._changed_models(before, over) else []
        return [*self._agents_since(before, over), *managed, *self._tasks_since(before, over)]

    def model_changes_since(self, before: CrewSnapshot, finished: int) -> str:
        """The changed models in a sentence; empty unless only models changed."""
        if self.changes_since(self._with_models_of(before), finished):
            return ""
        swaps: dict[tuple[str, str], list[str]] = {}
        for who in self._changed_models(before, {task.name for task in before.tasks[:finished]}):
            swaps.setdefault((before.models[who], self.models[who]), []).append(who)
        return " ".join(
            f"Goes on with {now} instead of {then}{self._who_changed(who, before, then, now)}."
            for (then, now), who in swaps.items()
        )

    def first_moved_task(self, before: CrewSnapshot) -> int | None:
        """The number (from 1) of the first task whose position changed; None if there is none."""
        for number, (now, then) in enumerate(zip(self.tasks, before.tasks, strict=False), start=1):
            if now.name != then.name:
                return number
        return None

    def _with_models_of(self, before: CrewSnapshot) -> CrewSnapshot:
        """The former snapshot with the current models."""
        agents = {
            role: then.model_copy(update={"model": self.agents[role].model}) if role in self.agents else then
            for role, then in before.agents.items()
        }
        return before.model_copy(update={"agents": agents, "manager": self.manager})

    def _changed_models(self, before: CrewSnapshot, over: set[str]) -> list[str]:
        """Agents that may still work and whose model changed."""
        at_work = [_agent(role) for role in self._at_work(over)] + ([MANAGER] if self._ahead(over) else [])
        then, now = before.models, self.models
        return [who for who in at_work if who in then and who in now and then[who] != now[who]]

    def _who_changed(self, who: list[str], before: CrewSnapshot, then: str, now: str) -> str:
        """The agents that changed the model, in parentheses; empty if all that used it did."""
        had = [each for each, model in before.models.items() if model == then]
        everyone = all(self.models.get(each, now) == now for each in had)
        return "" if everyone else f" ({', '.join(who)})"

    def _ahead(self, over: set[str]) -> list[TaskSnapshot]:
        return [task for task in self.tasks if task.name not in over]

    def _at_work(self, over: set[str]) -> list[str]:
        """The agents that the remaining tasks may need."""
        needed = {task.agent for task in self._ahead(over)}
        anyone = any(self.agents[role].delegates if role in self.agents else True for role in needed)
        return [role for role in self.agents if anyone or role in needed]

    def _agents_since(self, before: CrewSnapshot, over: set[str]) -> Iterator[str]:
        at_work = self._at_work(over)
        for role in _either(before.agents, self.agents):
            then, now = before.agents.get(role), self.agents.get(role)
            if then is None or now is None:
                yield f"{'gone' if now is None else 'new'} is {_agent(role)}"
            elif role in at_work:
                yield from _different(_agent(role), then, now)

    def _tasks_since(self, before: CrewSnapshot, over: set[str]) -> Iterator[str]:
        then = {task.name: task for task in before.tasks}
        now = {task.name: task for task in self.tasks}
        for name in _either(then, now):
            if name not in then or name not in now:
                yield f"{'gone' if name not in now else 'new'} is task “{name}”"
            elif name not in over:
                yield from _different(f"task “{name}”", then[name], now[name])
        if [name for name in then if name in now] != [name for name in now if name in then]:
            yield "the order of the tasks"


def name_of(task: Task, number: int) -> str:
    """A task's name, or its number if it has none."""
    return task.name or str(number)


def _different(
    what: str, then: AgentSnapshot | TaskSnapshot, now: AgentSnapshot | TaskSnapshot
) -> Iterator[str]:
    fields = [name for name in type(now).model_fields if getattr(then, name) != getattr(now, name)]
    parts = [name.replace("_", " ") for name in fields if name != "tools"]
    if "tools" in fields:
        parts.append(f"tools ({tools_changed(then.tools, now.tools)})")
    if parts:
        yield f"{what}: {', '.join(parts)}"


def _either(then: Iterable[str], now: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*then, *now)))


def _undated(text: str) -> str:
    return fingerprint(_DATES.sub("#", text))


def _agent(role: str) -> str:
    return f"agent “{role}”"


def _model(llm: object) -> str:
    return str(getattr(llm, "model", llm) or "")


def _manager(crew: Crew) -> str:
    return _model(crew.manager_agent.llm if crew.manager_agent is not None else crew.manager_llm)


def _tools(part: BaseAgent | Task) -> tuple[str, ...]:
    return tuple(sorted(str(tool.name) for tool in part.tools or ()))


def _own_tools(task: Task) -> tuple[str, ...]:
    """CrewAI gives a task without tools those of its agent."""
    tools = _tools(task)
    return tools if task.agent is None or tools != _tools(task.agent) else ()


def _context(task: Task, names: Mapping[str, str]) -> tuple[str, ...]:
    context = task.context if isinstance(task.context, list) else []
    return tuple(names.get(str(each.id), "") for each in context)


def _output(task: Task) -> str:
    kinds = (task.output_pydantic, task.output_json, task.response_model)
    return "/".join(shape(kind) for kind in kinds if kind is not None)


def _unique(role: str, taken: Mapping[str, object]) -> str:
    """Two agents may have the same role."""
    number = 1 + sum(other == role or other.startswith(f"{role} #") for other in taken)
    return role if number == 1 else f"{role} #{number}"
