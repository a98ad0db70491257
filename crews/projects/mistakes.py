"""What doesn't fit in what `crewdeck.yaml` says of a crew, once the crew is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewai import Crew

from crews.building.build import Built
from crews.building.guarded import guarded_by, guarding_nothing
from crews.definitions.yaml_lines import Document, Location, Problem
from crews.human_input.arguments import Parameters
from crews.projects.crewdeck_yaml import ProjectDeclarations
from crews.projects.project_crew import ProjectCrew


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
            for where, what in gate.mistakes(parameters.json_schema, parameters.secrets):
                yield page.problem((*at, "approval", *where), what)
