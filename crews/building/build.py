"""Builds a new CrewAI Crew or Flow for each run, from a definition and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from itertools import chain
from typing import Any, Protocol

from crewai import Crew
from crewai.flow.flow import Flow
from pydantic import JsonValue, ValidationError

from bot.core.people.policy import Approvers
from bot.core.runs.crew import Crew as Card
from crews.building.durability import examine
from crews.building.yaml_builder import YamlBuilder, check_gate, made_tool
from crews.crewai_adapter.at_import import importing
from crews.crewai_adapter.execution.agents import prepare
from crews.crewai_adapter.execution.kickoff import suppress_console
from crews.crewai_adapter.execution.tasks import with_task_outputs_in_memory
from crews.crewai_adapter.flows.access import human_feedback_of
from crews.definitions.decorator import card_of, declared_by, reviewers_by
from crews.definitions.defined_crews import Definition
from crews.definitions.definition import (
    CrewFile,
    Limits,
    ToolEntry,
)
from crews.definitions.exceptions import CrewBroken
from crews.definitions.gates import Gates
from crews.definitions.policies import Policies
from crews.definitions.script import Script, read_script
from crews.definitions.tool_options import (
    declare_reviewers,
    declare_tools,
)
from crews.definitions.yaml_lines import Unreadable
from crews.flows.human_feedback import feedback_spec_of
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
                tool = made_tool(self.definition, name, entry)
                check_gate(self.definition, self.gates, name, tool)

    def build(self, inputs: Inputs) -> Crew:
        crew = YamlBuilder(self.definition, self.gates, self.default_model, inputs, self.script).crew()
        examine(self.name, crew)
        return with_task_outputs_in_memory(crew)


@dataclass(frozen=True)
class PythonCrew:
    """A crew or a flow that a Python factory creates."""

    name: str
    factory: Callable[[dict[str, JsonValue]], Built]

    @classmethod
    def load(cls, entry: EntryPoint) -> PythonCrew:
        """Import the factory of an entry point. Raises CrewBroken, and whatever its module raises."""
        with importing():
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
        return Gates(crew.tools, crew.named(Policies()), crew.input_types, self.factory)

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
                f"{', '.join(roles)})",
                remedy="Correct it.",
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
    return with_task_outputs_in_memory(built)


def _flow(of: str, flow: Flow[Any]) -> Flow[Any]:
    for name, asked in human_feedback_of(flow):
        problem = feedback_spec_of(asked).problem()
        if asked.learn:
            problem = "`learn` isn't supported: what it has learned would differ from worker to worker"
        if problem is not None:
            raise CrewBroken(f"@human_feedback of {of}.{name}: {problem}.")
    flow.stream = False
    return flow
