"""A crew or flow of a project: the blueprint of its runs, and what doesn't fit in its declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crewai import Crew

from bot.core.people.policy import Approvers
from bot.core.runs.crew import Crew as Card
from crews.building.build import Built, Inputs, check_ask_human, equipped
from crews.building.guarded import guarded_by, guarding_nothing, tools_of
from crews.crewai_adapter.execution.kickoff import suppress_console
from crews.definitions.definition import Limits, ToolEntry
from crews.definitions.gates import Gates, same_name
from crews.definitions.policies import Policies
from crews.definitions.tool_options import declare
from crews.definitions.yaml_lines import Document, Location, Problem
from crews.human_input.arguments import Parameters
from crews.projects.crewdeck_yaml import ProjectCrewEntry, ProjectDeclarations
from crews.run.context import AskHumanFor

Make = Callable[[], object]


@dataclass(frozen=True)
class ProjectCrew:
    """A crew of a project, with what its `crewdeck.yaml` says of it."""

    name: str
    #: Makes a new crew or flow, by the project's own code or files.
    make: Make
    entry: ProjectCrewEntry
    shared: Policies = field(default_factory=Policies)

    @property
    def limits(self) -> Limits:
        return self.entry.limits

    @property
    def review_rounds(self) -> int:
        return self.entry.review.rounds

    @property
    def tools(self) -> Sequence[ToolEntry]:
        return tuple(self.entry.tools.values())

    @property
    def gates(self) -> Gates:
        return Gates(self.entry.tools, self.entry.named(self.shared), self.entry.input_types, self.make)

    @property
    def ask_human(self) -> AskHumanFor:
        chosen = self.entry.ask_human
        return chosen if isinstance(chosen, bool) else tuple(chosen)

    @property
    def reviewers(self) -> Mapping[str, Approvers]:
        return self.entry.reviewers_by(self.entry.named(self.shared))

    def card(self) -> Card:
        return self.entry.card(self.name, self.shared, *self.reviewers.values())

    def build(self, inputs: Inputs) -> Built:  # noqa: ARG002 - CrewAI takes them at the kickoff
        suppress_console()
        built = equipped(self.name, self.make(), self.tools, lambda task: self.reviewers.get(task or ""))
        check_ask_human(self.name, built, self.ask_human)
        if isinstance(built, Crew):
            self._declare_by_name(built)
        return built

    def _declare_by_name(self, crew: Crew) -> None:
        """Entries with `use` are stored with the tools of their class already."""
        named = [(name, entry) for name, entry in self.entry.tools.items() if entry.use is None]
        for tool in tools_of(crew):
            for name, entry in named:
                if same_name(tool, name):
                    declare(tool, entry.on_interrupted)


def mistakes(
    crew: ProjectCrew, built: Built, declarations: ProjectDeclarations, at: Location
) -> Iterator[Problem]:
    """All of them, with their places; `at` is where the file speaks of this crew. Raises CrewBroken."""
    page, entry = declarations.page, crew.entry
    if page is None:
        return
    if entry.main_input is not None and entry.main_input not in entry.inputs:
        yield page.problem((*at, "main_input"), f"{entry.main_input} is no input of this crew")
    yield from (page.problem((*at, *where), what) for where, what in entry.mistakes(declarations.groups))
    yield from _reviewers(crew, built, page, at)
    for name, wrong in guarding_nothing(entry.tools, built):
        yield page.problem((*at, "tools", name), wrong)
    for name, each in entry.tools.items():
        if each.approval is not None and isinstance(built, Crew):
            yield from _approval(crew, guarded_by(name, each, built), page, (*at, "tools", name))


def _reviewers(crew: ProjectCrew, built: Built, page: Document, at: Location) -> Iterator[Problem]:
    tasks = {each.name for each in built.tasks} if isinstance(built, Crew) else set()
    named = crew.entry.named(crew.shared)
    for task, choice in crew.entry.reviewers.items():
        if task not in tasks:
            yield page.problem((*at, "reviewers", task), "is no task of this crew")
        elif wrong := choice.mistake(named):
            yield page.problem((*at, "reviewers", task, *wrong[0]), wrong[1])


def _approval(crew: ProjectCrew, guarded: list[Any], page: Document, at: Location) -> Iterator[Problem]:
    """What doesn't go with the tools that an approval stands before."""
    for tool in guarded:
        gate = crew.gates.of(tool)
        if gate is not None:
            parameters = Parameters(tool.name, getattr(tool, "args_schema", None), gate.hide)
            for where, what in gate.mistakes(
                parameters.json_schema, parameters.secrets, parameters.unknown_hidden
            ):
                yield page.problem((*at, "approval", *where), what)
