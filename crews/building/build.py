"""Builds a new CrewAI Crew or Flow for each run, from a definition and inputs."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from itertools import chain
from typing import Any, Protocol

from crewai import LLM, Agent, Crew, Process, Task
from crewai.flow.flow import Flow
from crewai.llms.base_llm import BaseLLM
from pydantic import JsonValue, ValidationError

from bot.core.crew import Crew as Card
from bot.core.policy import Approvers
from crews.building.durability import examine
from crews.crewai_adapter.agents import manager_texts, prepare
from crews.crewai_adapter.flow_access import human_feedback_of
from crews.crewai_adapter.kickoff import suppress_console
from crews.crewai_adapter.openai import lacks_key
from crews.crewai_adapter.task_outputs import without_task_output_storage
from crews.definitions.catalog import Definition
from crews.definitions.decorator import card_of, declared_by, reviewers_by
from crews.definitions.definition import (
    ASK_HUMAN,
    AgentEntry,
    CrewFile,
    Limits,
    TaskEntry,
    ToolEntry,
)
from crews.definitions.exceptions import CrewBroken
from crews.definitions.gates import Gates
from crews.definitions.policies import Policies
from crews.definitions.scripted import SCRIPTED, Script, ScriptedLLM, read_script
from crews.definitions.tool_options import (
    declare,
    declare_entry,
    declare_not_asking,
    declare_reviewers,
    declare_tools,
    import_class,
    make,
)
from crews.definitions.yaml_lines import Problem, Unreadable
from crews.flows.human_feedback import feedback_spec_of
from crews.human_input.arguments import Parameters
from crews.human_input.ask_human import AskHuman
from crews.run.context import AskHumanFor

Inputs = Mapping[str, JsonValue]
Built = Crew | Flow[Any]
"""What a run executes. To people a flow is a crew."""


class Blueprint(Protocol):
    """A crew that can be built."""

    @property
    def name(self) -> str: ...

    @property
    def limits(self) -> Limits: ...

    @property
    def review_rounds(self) -> int: ...

    @property
    def tools(self) -> Sequence[ToolEntry]:
        """The declarations of its tools."""

    @property
    def gates(self) -> Gates:
        """Which of its tools need an approval."""

    @property
    def ask_human(self) -> AskHumanFor:
        """Which of its agents have the tool ask_human."""

    def card(self) -> Card: ...

    def build(self, inputs: Inputs) -> Built:
        """A new crew for a run with these inputs. Raises CrewBroken."""


@dataclass(frozen=True)
class YamlCrew:
    """A crew that is defined by a folder of YAML files."""

    definition: Definition
    #: The model of crews that name none.
    default_model: str | None = None
    #: The lines of the scripted model as they were read with the files; None: they are read for each run.
    script: Script | None = None

    @classmethod
    def read(cls, definition: Definition, default_model: str | None) -> YamlCrew:
        """The crew with its script, so that a later edit of it changes nothing."""
        try:
            return cls(definition, default_model, read_script(definition.folder))
        except (Unreadable, ValidationError):  # Building the crew reports it, if it needs one.
            return cls(definition, default_model)

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def limits(self) -> Limits:
        return self.definition.limits

    @property
    def review_rounds(self) -> int:
        return self.definition.review_rounds

    @property
    def tools(self) -> Sequence[ToolEntry]:
        return tuple(self.definition.crew.tools.values())

    @property
    def gates(self) -> Gates:
        crew = self.definition.crew
        return Gates(crew.tools, self.definition.policies, crew.input_types)

    @property
    def ask_human(self) -> AskHumanFor:
        return self.definition.crew.ask_human is not False  # Agents that don't have it are marked.

    def card(self) -> Card:
        return self.definition.card()

    def check_gates(self) -> None:
        """Raises CrewBroken if an approval doesn't go with its tool."""
        for name, entry in self.definition.crew.tools.items():
            if entry.approval is not None and entry.use is not None:
                tool = make(entry.use)
                declare_entry(tool, name)
                check_gate(self.definition, self.gates, name, tool)

    def build(self, inputs: Inputs) -> Crew:
        return _Builder(self.definition, self.default_model, inputs, self.script).crew()


@dataclass(frozen=True)
class PythonCrew:
    """A crew or a flow that a Python factory creates."""

    name: str
    factory: Callable[[dict[str, JsonValue]], Built]

    @classmethod
    def load(cls, entry: EntryPoint) -> PythonCrew:
        """Import the factory of an entry point. Raises CrewBroken, and whatever its module raises."""
        factory = entry.load()
        if not callable(factory):
            raise CrewBroken(f"{entry.value} is no factory: it can't be called.")
        return cls(entry.name, factory)

    @property
    def _declared(self) -> CrewFile:
        return declared_by(self.name, self.factory)

    @property
    def limits(self) -> Limits:
        return self._declared.limits

    @property
    def review_rounds(self) -> int:
        return self._declared.review.rounds

    @property
    def tools(self) -> Sequence[ToolEntry]:
        return tuple(self._declared.tools.values())

    @property
    def gates(self) -> Gates:
        crew = self._declared
        return Gates(crew.tools, crew.named(Policies()), crew.input_types)

    @property
    def ask_human(self) -> AskHumanFor:
        chosen = self._declared.ask_human
        return chosen if isinstance(chosen, bool) else tuple(chosen)

    def card(self) -> Card:
        return card_of(self.name, self.factory)

    def build(self, inputs: Inputs) -> Built:
        suppress_console()
        built = self.factory(dict(inputs))
        made = equipped(self.name, built, self.tools, lambda task: reviewers_by(self.factory, task))
        check_ask_human(self.name, made, self.ask_human)
        return made


def check_ask_human(name: str, built: Built, to: AskHumanFor) -> None:
    """Raises CrewBroken if `ask_human` names a role that no agent of the crew has."""
    if not isinstance(built, Crew) or not isinstance(to, tuple):
        return
    roles = [each.role.strip() for each in (*built.agents, built.manager_agent) if each is not None]
    for role in to:
        if role.strip() not in roles:
            raise CrewBroken(
                f"`ask_human` of {name} names {role!r}, and no agent has that role (there are: "
                f"{', '.join(roles)}). Correct it."
            )


def equipped(
    name: str, built: object, tools: Sequence[ToolEntry], reviewers: Callable[[str | None], Approvers | None]
) -> Built:
    """A crew or flow that authors' code built, with what its runs need.

    `tools` and `reviewers` (by the names of tasks): what is declared for it. Raises CrewBroken.
    """
    if not isinstance(built, Crew | Flow):
        raise CrewBroken(
            f"The factory of {name} must return a crewai Crew or Flow, not {type(built).__name__}."
        )
    examine(name, built)
    if isinstance(built, Flow):
        return _flow(name, built)
    for agent in built.agents:
        prepare(agent)
    given = [each.tools or [] for each in built.agents] + [each.tools or [] for each in built.tasks]
    declare_tools(chain.from_iterable(given), tools)
    for task in built.tasks:
        if (chosen := reviewers(task.name)) is not None:
            declare_reviewers(task, chosen)
    return without_task_output_storage(built)


def _flow(of: str, flow: Flow[Any]) -> Flow[Any]:
    for name, asked in human_feedback_of(flow):
        problem = feedback_spec_of(asked).problem()
        if asked.learn:
            problem = "`learn` isn't supported: what it has learned would differ from worker to worker"
        if problem is not None:
            raise CrewBroken(f"@human_feedback of {of}.{name}: {problem}.")
    flow.stream = False
    return flow


class _Builder:
    """Builds one crew. Models that its agents share are created once."""

    def __init__(
        self, definition: Definition, default_model: str | None, inputs: Inputs, script: Script | None
    ) -> None:
        self._definition = definition
        self._script = script
        self._default_model = default_model
        self._inputs = inputs
        self._models: dict[str, BaseLLM] = {}
        self._gates = YamlCrew(definition).gates

    def crew(self) -> Crew:
        agents = {name: self._agent(name, entry) for name, entry in self._definition.agents.items()}
        tasks: dict[str, Task] = {}
        for name, entry in self._definition.tasks.items():
            tasks[name] = self._task(name, entry, agents, tasks)
        hierarchical = self._definition.crew.process == "hierarchical"
        crew = Crew(
            name=self._definition.name,
            agents=list(agents.values()),
            tasks=list(tasks.values()),
            process=Process.hierarchical if hierarchical else Process.sequential,
            manager_agent=self._manager() if hierarchical else None,
            memory=False,
            verbose=False,
        )
        return without_task_output_storage(crew)

    def _agent(self, name: str, entry: AgentEntry) -> Agent:
        options = entry.model_dump(exclude={"llm", "tools", "ask_human"}, exclude_none=True)
        options["llm"] = self._model(entry.llm)
        asks = self._definition.asks_people(name)
        options["tools"] = [*self._tools(entry.tools), *([AskHuman()] if asks else ())]
        agent = Agent(**options)
        prepare(agent)
        if not asks:
            declare_not_asking(agent)
        return agent

    def _manager(self) -> Agent:
        """CrewAI's own manager, who may have no tools but delegation."""
        manager = Agent(**manager_texts(), llm=self._model(None))
        manager.allow_delegation = True
        prepare(manager)
        if self._definition.crew.ask_human is not True:
            declare_not_asking(manager)
        return manager

    def _task(
        self, name: str, entry: TaskEntry, agents: Mapping[str, Agent], tasks: Mapping[str, Task]
    ) -> Task:
        options = entry.model_dump(
            exclude={"agent", "context", "tools", "output_pydantic", "approvers"}, exclude_none=True
        )
        if entry.context is not None:
            options["context"] = [tasks[other] for other in entry.context]
        if entry.output_pydantic is not None:
            options["output_pydantic"] = import_class(entry.output_pydantic)
        if entry.tools:
            asks = entry.agent is None or self._definition.asks_people(entry.agent)
            options["tools"] = [*self._tools(entry.tools), *([AskHuman()] if asks else ())]
        task = Task(name=name, agent=agents[entry.agent] if entry.agent else None, **options)
        if entry.approvers is not None:
            declare_reviewers(task, entry.approvers.approvers(self._definition.policies))
        return task

    def _tools(self, names: list[str]) -> list[Any]:
        named = self._definition.crew.tools
        return [self._tool(name, named[name]) for name in names if name != ASK_HUMAN]

    def _tool(self, name: str, entry: ToolEntry) -> Any:
        tool = make(entry.use or "")
        declare(tool, entry.on_interrupted)
        declare_entry(tool, name)
        check_gate(self._definition, self._gates, name, tool)
        return tool

    def _model(self, name: str | None) -> BaseLLM:
        name = name or self._definition.crew.model or self._default_model
        if name is None:
            raise CrewBroken(
                "No model is set. Name one as `model:` in crew.yaml, or set CREWDECK_MODEL.", "missing_model"
            )
        if name not in self._models:
            self._models[name] = self._new_model(name)
        return self._models[name]

    def _new_model(self, name: str) -> BaseLLM:
        if name == SCRIPTED:
            script = self._script or read_script(self._definition.folder)
            return ScriptedLLM.of(script, self._inputs)
        try:
            model: BaseLLM = LLM(model=name)
        except Exception as error:
            raise _unusable(name, str(error), type(error).__name__) from error
        if lacks_key(model):
            raise _unusable(name, "OPENAI_API_KEY")
        return model


def check_gate(definition: Definition, gates: Gates, name: str, tool: Any) -> None:
    """Raises CrewBroken, with file and line, if the gate doesn't go with the tool."""
    for problem in gate_problems(definition, gates, name, tool):
        raise CrewBroken(f"{problem}.")


def gate_problems(definition: Definition, gates: Gates, name: str, tool: Any) -> Iterator[Problem]:
    """Why the gate of this entry of crew.yaml doesn't go with its tool."""
    gate = gates.of(tool)
    if gate is None:
        return
    parameters = Parameters(tool.name, getattr(tool, "args_schema", None), gate.hide)
    for at, what in gate.mistakes(parameters.json_schema, parameters.secrets):
        yield definition.page.problem(("tools", name, "approval", *at), what, "invalid_approval")


_KEY = re.compile(r"\b[A-Z][A-Z0-9_]*_(?:KEY|TOKEN|KEY_ID)\b")
_PACKAGE = re.compile(r"crewai\[[\w-]+\]")


def _unusable(name: str, said: str, kind: str = "") -> CrewBroken:
    """Why a model can't be created. Of CrewAI's message only names are repeated."""
    if key := _KEY.search(said):
        return CrewBroken(f"The model {name} needs its key. Set {key[0]} for the workers.", "missing_key")
    if package := _PACKAGE.search(said):
        return CrewBroken(f"The model {name} needs a package. Install {package[0]} for the workers.")
    return CrewBroken(f"CrewAI can't use the model {name} ({kind}). Correct `model:`, or CREWDECK_MODEL.")
