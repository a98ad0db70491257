"""Loads the defined crews: imports crewai, and the packages that register factories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import structlog

from bot.core.runs.crew import CrewProblem
from bot.settings import Settings
from crews import terminal
from crews.building.build import Blueprint, YamlCrew
from crews.building.durability import notices_of
from crews.building.importing import BoundedCall, import_all, refused
from crews.building.offer import Offer
from crews.building.samples import samples
from crews.crewai_adapter import checkpoints, class_cache, project_config
from crews.crewai_adapter.models import openai
from crews.definitions.defined_crews import FILES, DefinedCrews
from crews.definitions.exceptions import CrewBroken
from crews.definitions.yaml_lines import Problem
from crews.run.failures import not_built_within
from crews.run.threads import Raised, Returned

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LoadedCrews:
    """The defined crews that can be built, and the errors of the others."""

    crews: dict[str, Blueprint]
    #: What is wrong with factories, by crew.
    problems: dict[str, CrewBroken]


def blueprints(defined: DefinedCrews, settings: Settings) -> dict[str, Blueprint]:
    """All crews that can be loaded, by name. Errors of others are logged."""
    return dict(offer(defined, settings).crews)


def offer(defined: DefinedCrews, settings: Settings) -> Offer:
    """The crews that can be run, and why others can't be run, which is logged."""
    loaded = load(defined, settings)
    for name, problem in loaded.problems.items():
        log.error("a crew can't be loaded", crew=name, problem=str(problem))
    broken = [CrewProblem(name=name_of(each), problem=str(each)) for each in defined.problems]
    broken += [
        CrewProblem(name=name, problem=each.wrong, remedy=each.remedy)
        for name, each in loaded.problems.items()
    ]
    return Offer(loaded.crews, tuple(broken))


def name_of(problem: Problem) -> str:
    """The crew that a problem is about, or its file."""
    return problem.file.parent.name if problem.file.name in FILES else problem.file.name


def load(
    defined: DefinedCrews, settings: Settings, begins: Callable[[EntryPoint], None] = lambda _: None
) -> LoadedCrews:
    """All crews that can be loaded. YAML goes before Python. `begins` is called before each import."""
    terminal.forbid_asking()  # Modules and factories of authors are called from here on.
    openai.build_response_models()
    openai.install()  # before crews are built
    checkpoints.install()
    class_cache.install()  # before classes are decorated
    project_config.install()  # likewise
    loaded = LoadedCrews({}, {})
    for name, each in defined.definitions.items():
        crew = YamlCrew.read(each, settings.model)
        problem = _gates_problem(crew, settings.build_timeout) or _values_problem(
            crew, settings.build_timeout
        )
        if problem is None:
            loaded.crews[name] = crew
        else:
            loaded.problems[name] = problem
    wanted = []
    for entry in defined.factories:
        if entry.name in defined.definitions:
            log.warning("a factory is hidden by a folder of the same name", crew=entry.name)
        else:
            wanted.append(entry)
    marks = settings.data_dir.expanduser() / "importing"
    for entry, came in import_all(wanted, marks, settings.build_timeout, begins):
        if isinstance(came, CrewBroken):
            loaded.problems[entry.name] = came
        else:
            loaded.crews[entry.name] = came
    return loaded


def _gates_problem(crew: YamlCrew, seconds: float) -> CrewBroken | None:
    """What is wrong with the approvals of a crew's tools, which are imported for it; None if nothing."""
    if not any(entry.approval is not None for entry in crew.tools):
        return None
    match BoundedCall(crew.check_gates).within(seconds):
        case Returned():
            return None
        case Raised(error):
            return refused("Its tools can't be loaded", error)
        case None:
            return not_built_within(seconds)


def _values_problem(crew: YamlCrew, seconds: float) -> CrewBroken | None:
    """What CrewAI refuses of a crew's files, or an approval that guards nothing; None if nothing.

    The crew is built once to see that.
    """
    approvals_by_name = any(each.approval is not None and each.use is None for each in crew.tools)
    if not crew.definition.has_keys_of_crewai and not approvals_by_name:
        return None
    match BoundedCall(lambda: crew.build(samples(crew.card().inputs))).within(seconds):
        case Returned(built):
            for notice in notices_of(built):
                log.warning("not everything of a crew is durable", crew=crew.name, notice=notice)
        case Raised(CrewBroken(code="missing_model" | "missing_key")):
            return None  # It can be there when a run begins, which says so otherwise.
        case Raised(error):
            return refused("It can't be built", error)
        case None:
            return not_built_within(seconds)
    return None
