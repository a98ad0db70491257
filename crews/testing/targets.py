"""What a test runs: a factory, a class, a folder, a project or a crew itself, as a blueprint."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crewai import Crew
from crewai.flow.flow import Flow
from dotenv import dotenv_values

from bot.processes.projects import find, source_folders
from bot.settings import Settings
from crews.building.build import Blueprint, PythonCrew, YamlCrew
from crews.definitions.decorator import CREW_ATTRIBUTE
from crews.definitions.defined_crews import read_crew
from crews.definitions.exceptions import CrewBroken
from crews.definitions.policies_file import read_policies
from crews.projects.loading import load

MODEL = "openai/of-the-test"
"""Of crews in YAML that name none."""


@dataclass(frozen=True)
class Target:
    """What a test runs."""

    blueprint: Blueprint
    #: Whether it declares its inputs; otherwise whatever the test gives is passed on.
    declared: bool = True


def target_of(what: Any, crew: str | None, settings: Settings) -> Target:  # noqa: ANN401 - see above
    """Raises CrewBroken."""
    if isinstance(what, str | Path):
        folder = Path(what).expanduser()
        in_yaml = (folder / "crew.yaml").is_file() and crew is None
        return Target(_yaml(folder) if in_yaml else _of_project(str(what), crew, settings))
    if hasattr(what, CREW_ATTRIBUTE):
        return Target(PythonCrew(_name(what), what))
    return Target(PythonCrew(_name(what), _factory(what)), declared=False)


def _factory(what: Any) -> Callable[[dict[str, Any]], Any]:  # noqa: ANN401 - see above
    """A factory for what declares nothing."""
    match what:
        case Crew() | Flow():
            return lambda _: what
        case type() if issubclass(what, Flow):
            return lambda _: what()
        case type() if callable(getattr(what, "crew", None)):
            return lambda _: what().crew()
        case _ if callable(what):
            return _called(what)
    raise CrewBroken(f"{what!r} is no crew, no flow, no factory, and no folder.")


def _yaml(folder: Path) -> YamlCrew:
    folder = folder.resolve()
    shared, problems = read_policies(folder.parent)
    definition, of_crew = read_crew(folder, shared)
    if definition is None or problems:
        raise CrewBroken("\n".join(map(str, [*problems, *of_crew])))
    return YamlCrew(definition, MODEL)


def _of_project(reference: str, crew: str | None, settings: Settings) -> Blueprint:
    project = find(reference)
    for folder in map(str, source_folders(Path(project.root))):
        if folder not in sys.path:
            sys.path.append(folder)
    for name, value in dotenv_values(Path(project.root) / ".env").items():
        if value is not None:
            os.environ.setdefault(name, value)
    offered = load(project, settings)
    problems = "\n".join(each.sentence for each in offered.problems)
    found = offered.crews
    if crew is not None and crew in found:
        return found[crew]
    if crew is None and len(found) == 1 and not problems:
        return next(iter(found.values()))
    known = f"{reference} has {', '.join(found)}: name one with crew=." if found else ""
    raise CrewBroken("\n".join(filter(None, (problems, known))))


def _called(target: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
    """A factory without a declaration may take inputs, or nothing."""
    takes = any(
        each.default is each.empty and each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
        for each in inspect.signature(target).parameters.values()
    )
    return target if takes else lambda _: target()


def _name(target: Any) -> str:  # noqa: ANN401 - see above
    return str(getattr(target, "name", None) or getattr(target, "__name__", None) or type(target).__name__)
