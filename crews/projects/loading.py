"""Loads the crews of a project: what can be offered, and why others can't."""

from __future__ import annotations

import os
import re
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import structlog

from bot.core.project import Project
from bot.core.runs.crew import CrewProblem
from bot.processes.projects import kebab, slug
from bot.settings import Settings
from crews.building.build import Blueprint, PythonCrew, YamlCrew, equipped
from crews.building.durability import notices_of
from crews.building.importing import BOUND, BoundedCall, ImportMarker, package_that_lacks, refused
from crews.building.offer import Offer
from crews.crewai_adapter import install, project_config
from crews.crewai_adapter.at_import import KickoffAtImport
from crews.crewai_adapter.execution.kickoff import suppress_console
from crews.crewai_adapter.models.openai import build_response_models
from crews.definitions.defined_crews import read_crew
from crews.definitions.exceptions import CrewBroken
from crews.definitions.yaml_lines import Problem
from crews.projects import crewdeck_yaml, discovery
from crews.projects.crewdeck_yaml import ProjectDeclarations
from crews.projects.discovery import Candidate, Discovered, Kind, discover
from crews.projects.inputs import inputs_of, merged
from crews.projects.making import ImportedCandidate, import_candidate
from crews.projects.project_crew import ProjectCrew, mistakes
from crews.run.threads import Raised, Returned

log = structlog.get_logger(__name__)
T = TypeVar("T")

CORRECT_FILE = "Correct the file; docs/projects.md describes it."
MAX_FATAL_IMPORTS = 3
"""A crew whose import has ended so many processes lately is left out."""


def load(project: Project, settings: Settings) -> Offer:
    """Load all crews of the project. What is broken becomes a problem; it stops nothing else."""
    build_response_models()
    install.install()
    return _Loading(project, settings).all()


class _Loading:
    def __init__(self, project: Project, settings: Settings) -> None:
        self._project = project
        self._settings = settings
        self._root = Path(project.root)
        self._crews: dict[str, Blueprint] = {}
        self._problems: list[CrewProblem] = []
        self._about = discovery.read(self._root)[0]

    def all(self) -> Offer:
        discovered = discover(self._project)
        declarations, problems = crewdeck_yaml.read(self._root)
        for problem in (*discovered.problems, *problems):
            self._wrong_in_file(self._project.name, problem, CORRECT_FILE)
        if declarations is not None:
            self._load(discovered, declarations)
        return Offer(self._crews, tuple(self._problems))

    def _load(self, discovered: Discovered, declarations: ProjectDeclarations) -> None:
        candidates = discovered.candidates
        if not candidates and not discovered.problems:
            where = self._project.target or self._project.root
            self._broken(
                self._project.name,
                f"{where}: there is no crew and no flow in it",
                "docs/projects.md says what is found; module:Name means one directly.",
            )
        for problem in declarations.problems((each.key for each in candidates), len(candidates)):
            self._wrong_in_file(self._project.name, problem, CORRECT_FILE)
        many = Counter(each.key for each in candidates)
        taken: dict[str, Candidate] = {}
        for each in candidates:
            entry, _ = declarations.of(each.key, only=len(candidates) == 1)
            name = entry.name or self._name(each, only=len(candidates) == 1)
            other = taken.setdefault(name, each)
            if other is not each:
                self._broken(
                    name,
                    f"{each.place}: it is called {name} like {other.place}",
                    "Rename one of them." if many[each.key] > 1 else "Give one a `name` in crewdeck.yaml.",
                )
            elif self._is_theirs(name):
                self._broken(
                    name,
                    f"{each.place}: a crew of CREWDECK_CONFIG_DIR or of Crewdeck is called {name} too",
                    f"Name the project yourself: another-name={self._project.root}",
                )
            else:
                self._load_one(name, each, declarations, only=len(candidates) == 1)

    def _name(self, candidate: Candidate, *, only: bool) -> str:
        if only:
            return self._project.name
        own = kebab(candidate.key) if candidate.kind is Kind.PYTHON else slug(candidate.key)
        return f"{self._project.name}-{own}" if own != self._project.name else own

    def _is_theirs(self, name: str) -> bool:
        """Whether a folder of crews has this name: the crews of two workers would be taken for each other."""
        return any((folder / name / "crew.yaml").is_file() for folder in self._settings.crew_dirs)

    def _load_one(
        self, name: str, candidate: Candidate, declarations: ProjectDeclarations, *, only: bool
    ) -> None:
        if candidate.kind is Kind.YAML_FOLDER:
            self._load_folder(name, candidate, declarations)
            return
        try:
            made = self._bounded(name, candidate, lambda: import_candidate(candidate))
            self._crews[name] = self._bounded(
                name, candidate, lambda: self._blueprint(name, candidate, made, declarations, only=only)
            )
        except CrewBroken as error:
            if error.problem is not None:
                self._wrong_in_file(name, error.problem, CORRECT_FILE)
            else:
                self._broken(name, error.wrong, error.remedy)

    def _load_folder(self, name: str, candidate: Candidate, declarations: ProjectDeclarations) -> None:
        """A folder as docs/crews.md describes it."""
        definition, problems = read_crew(candidate.file.parent, declarations.groups)
        for problem in problems:
            self._wrong_in_file(name, problem, "Correct the file; docs/crews.md describes it.")
        if definition is not None:
            self._crews[name] = YamlCrew(replace(definition, name=name), self._settings.model)

    def _blueprint(
        self,
        name: str,
        candidate: Candidate,
        made: ImportedCandidate,
        declarations: ProjectDeclarations,
        *,
        only: bool,
    ) -> Blueprint:
        """The crew, built once to see what it takes. Raises CrewBroken, and what its code raises."""
        if made.factory is not None:
            factory = PythonCrew(name, made.factory)
            factory.card()  # evaluates the author's declarations, which may raise
            return factory
        suppress_console()
        built = equipped(name, made.make(), (), lambda _: None)
        for notice in notices_of(built):
            log.warning("not everything of a crew is durable", crew=name, notice=notice)
        entry, at = declarations.of(candidate.key, only=only)
        try:
            inputs = merged(inputs_of(built, made.defaults), entry.inputs)
        except ValueError as error:
            raise CrewBroken(f"{candidate.place}: its input {error}") from None
        entry = entry.model_copy(
            update={
                "title": entry.title or _title(candidate.key if not only else self._project.name),
                "description": entry.description or made.description or self._about.description,
                "inputs": inputs,
                "main_input": entry.main_input or (next(iter(inputs)) if len(inputs) == 1 else None),
            }
        )
        crew = ProjectCrew(name, made.make, entry, declarations.groups)
        for problem in mistakes(crew, built, declarations, at):
            raise CrewBroken.at(problem)
        crew.card()
        return crew

    def _bounded(self, name: str, candidate: Candidate, call: Callable[[], T]) -> T:
        """The result of a call of the project's code. Raises CrewBroken."""
        mark = ImportMarker(self._settings.data_dir.expanduser() / "importing", f"{name} {candidate.file}")
        if mark.crash_count() >= MAX_FATAL_IMPORTS:
            raise CrewBroken(
                f"{candidate.place}: importing it has ended {MAX_FATAL_IMPORTS} processes, so it is left out "
                "for now",
                remedy="Correct it.",
            )
        mark.set()
        outcome = BoundedCall(call).within(self._settings.build_timeout)
        mark.clear()
        match outcome:
            case Returned(result):
                return result
            case Raised(error):
                raise self._refused(candidate, error) from error
            case None:
                seconds = self._settings.build_timeout
                raise CrewBroken(f"{candidate.place}: it can't be loaded within {seconds:g} s", remedy=BOUND)

    def _refused(self, candidate: Candidate, error: BaseException) -> CrewBroken:
        if isinstance(error, CrewBroken):
            return error
        log.info("A crew of the project can't be loaded", exc_info=error)
        place = _place_in(self._root, error) or candidate.place
        if isinstance(error, KickoffAtImport):
            return CrewBroken(f"{place}: {error}")
        said = refused(f"{place}: it can't be loaded", error).wrong
        return CrewBroken(said, remedy=self._remedy(error))

    def _remedy(self, error: BaseException) -> str:
        if isinstance(error, ImportError) and _means_package(self._root, error):
            project = discovery.project_of_package(self._root)
            return f"{self._root} is a package: name the folder of its project, {project}."
        package = package_that_lacks(error)
        if package or isinstance(error, ModuleNotFoundError):
            return self._remedy_of_package(package, getattr(error, "name", "") or "")
        if name := _unset_variable(error):
            return f"Set {name} in {self._root / '.env'}, or in the environment of Crewdeck."
        if isinstance(error, KeyError):
            return self._remedy_of_name(error)
        return ""

    def _remedy_of_package(self, package: str, module: str) -> str:
        """What to do about a package of a model's provider, or about a module, that isn't installed."""
        if not package and (folder := discovery.folder_with(self._root, module)):
            return f"It is in {folder}: name that folder as the project."
        if self._project.python:
            return f"Install {package or 'it'} in {self._project.environment}."
        if package:
            return f"Name {package} in the project's dependencies, then: crewdeck add {self._project.root}"
        return f"Make an environment with what the project needs: crewdeck add {self._project.root}"

    def _remedy_of_name(self, error: KeyError) -> str:
        """What to do about a name that is in none of a class's files, or of a file that isn't there."""
        name = str(error.args[0]) if error.args else ""
        absent = sorted(str(file) for file in project_config.absent() if file.is_relative_to(self._root))
        if absent:
            return f"There is no {' and no '.join(absent)}."
        return f"Is {name!r} the name of an agent, a task or a method, written alike in all of them?"

    def _wrong_in_file(self, name: str, problem: Problem, remedy: str) -> None:
        """A problem with its place. `remedy`: where the problem has none of its own."""
        self._broken(name, str(replace(problem, remedy="")), problem.remedy or remedy)

    def _broken(self, name: str, problem: str, remedy: str) -> None:
        found = CrewProblem(name=name, problem=problem.rstrip("."), remedy=remedy)
        log.error("A crew of the project can't be offered", crew=name, problem=found.sentence)
        self._problems.append(found)


def _title(key: str) -> str:
    return kebab(key).replace("-", " ").strip().capitalize() or key


_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9_]*_(?:KEY|TOKEN)\b")


def _unset_variable(error: BaseException) -> str:
    """The variable of the environment that is missing: that code reads, or that a provider names first."""
    if isinstance(error, KeyError):
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        return str(error.args[0]) if frame.f_globals is vars(os) else ""
    if not isinstance(error, ImportError | ValueError):
        return ""
    named = [name for name in _VARIABLE.findall(str(error)) if not os.environ.get(name)]
    return named[0] if named else ""


def _means_package(root: Path, error: ImportError) -> bool:
    """Whether code imports from the very folder that was named as the project, as from a package."""
    named = (error.name or "").partition(".")[0] == root.name
    return (named or "relative import" in str(error)) and (root / "__init__.py").is_file()


def _place_in(root: Path, error: BaseException) -> str:
    """The last file and line of the project that the exception came through."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(root) and "site-packages" not in frame.filename:
            return f"{frame.filename}:{frame.lineno}"
    return ""
