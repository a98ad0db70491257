"""Crews in YAML, read again after an edit: the last good version stays where the new one is broken."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot.core.runs.crew import CrewProblem
from bot.settings import Settings
from crews.building.build import Blueprint, YamlCrew
from crews.building.check import yaml_findings
from crews.building.loading import name_of
from crews.building.offer import Offer
from crews.definitions.defined_crews import DefinedCrews

log = structlog.get_logger(__name__)


def reloaded(
    defined: DefinedCrews, current: Mapping[str, Blueprint], settings: Settings, since: str
) -> Offer:
    """What can be offered now. `current`: what could be until now, read or imported at the time `since`.

    Factories stay as they are: their code is that of the process.
    """
    crews: dict[str, Blueprint] = {}
    problems: list[CrewProblem] = []
    for name, definition in defined.definitions.items():
        old, new = current.get(name), YamlCrew.read(definition, settings.model)
        problem = "" if new == old else _broken(new, settings.build_timeout)
        if not problem:
            crews[name] = new
            continue
        if isinstance(old, YamlCrew):
            crews[name] = old
        problems.append(_kept(name, problem, old, since))
    told = {problem.name for problem in problems}
    for each in defined.problems:
        name = name_of(each)
        old = current.get(name)
        if isinstance(old, YamlCrew):
            crews[name] = old
        if name not in told:
            problems.append(_kept(name, str(each), old, since))
            told.add(name)
    for name, old in current.items():
        if name not in crews and not isinstance(old, YamlCrew):
            crews[name] = old
    return Offer(dict(sorted(crews.items())), tuple(problems))


def _broken(crew: YamlCrew, seconds: float) -> str:
    """Why a new version can't be run; empty if it can, or if only the environment lacks something."""
    for finding in yaml_findings(crew, seconds):
        if finding.severity == "error":
            where = f"{finding.file}:{finding.line}: " if finding.line else ""
            key = f"{finding.key}: " if finding.key else ""
            return f"{where}{key}{finding.message.removeprefix(where)}"
    return ""


def _kept(name: str, problem: str, old: Blueprint | None, since: str) -> CrewProblem:
    kept = isinstance(old, YamlCrew)
    log.error("an edited crew is broken", crew=name, problem=problem, runs_use=since if kept else None)
    return problem_of_edit(name, problem, since if kept else "")


def problem_of_edit(name: str, problem: str, since: str) -> CrewProblem:
    """That an edit is broken. `since`: since when runs use the version before it; empty if there is none."""
    remedy = f"The edit is broken: runs use the version of {since} until it is corrected." if since else ""
    return CrewProblem(name=name, problem=problem.rstrip("."), remedy=remedy)
