"""Checks every defined crew by building it, and says where each mistake is and what to do about it."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Literal

from crewai import Crew

from bot.settings import Settings
from crews.building.build import Blueprint, PythonCrew, YamlCrew
from crews.building.durability import notices_of
from crews.building.guarded import guarding_nothing, named_only
from crews.building.importing import BoundedCall, refused
from crews.building.loading import load
from crews.building.samples import samples
from crews.building.yaml_builder import gate_problems, made_tool
from crews.crewai_adapter.flows import flow
from crews.crewai_adapter.models import openai
from crews.definitions import yaml_lines
from crews.definitions.agents_and_tasks import AgentEntry
from crews.definitions.defined_crews import FILES, DefinedCrews, Definition
from crews.definitions.definition import YamlToolEntry
from crews.definitions.entry import is_reference
from crews.definitions.exceptions import CrewBroken
from crews.definitions.script import SCRIPTED, script_problems
from crews.definitions.tool_options import import_class
from crews.definitions.yaml_lines import Location, Problem
from crews.run.failures import not_built_within
from crews.run.threads import Outcome, Raised, Returned

CORRECT_FILE = "Correct the file; docs/crews.md describes it."
OF_THE_ENVIRONMENT = frozenset({"missing_model", "missing_key"})
"""Codes of problems of the environment that the crew runs in, not of its files."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with a crew, and where; or that nothing is."""

    crew: str
    severity: Literal["ok", "warning", "error"] = "ok"
    #: What kind of mistake it is; empty if there is none.
    code: str = ""
    message: str = ""
    remedy: str = ""
    #: The file, and the position in it, from 1; empty and 0 where there is none.
    file: str = ""
    line: int = 0
    column: int = 0
    #: With dots, as `inputs.tone.default`.
    key: str = ""

    def record(self) -> dict[str, object]:
        return asdict(self)


OnBegin = Callable[[str, str], None]
"""Told the name of a crew and what is about to be imported or built for it."""


def check(
    defined: DefinedCrews, settings: Settings, begins: OnBegin, skipped: Collection[str] = ()
) -> Iterator[Finding]:
    """Build every crew; yields all mistakes, and for a crew without any that it is right.

    Crews in `skipped` are left out: building them has ended this process before.
    """
    for problem in defined.problems:
        yield _of(_crew_of(problem.file), problem)
    for each in (flow, openai):  # as in a run: this makes building fast
        each.install()
    seconds = settings.build_timeout
    for name, definition in defined.definitions.items():
        if name not in skipped:
            begins(name, str(definition.folder))
            yield from yaml_findings(YamlCrew(definition, settings.model), seconds)
    factories = tuple(each for each in defined.factories if each.name not in {*skipped, *defined.definitions})

    def importing(entry: EntryPoint) -> None:
        begins(entry.name, entry.value)

    loaded = load(DefinedCrews(factories=factories), settings, importing)
    for name, error in loaded.problems.items():
        yield broken(name, error)
    for name, crew in loaded.crews.items():
        begins(name, name)
        yield build_finding(crew, seconds)


def _crew_of(file: Path) -> str:
    return file.parent.name if file.name in FILES else file.name


def _of(crew: str, problem: Problem) -> Finding:
    return Finding(
        crew,
        "error",
        problem.code,
        problem.message,
        problem.remedy or CORRECT_FILE,
        str(problem.file),
        problem.line,
        problem.column,
        problem.key,
    )


# ── folders of YAML ─────────────────────────────────────────────────────────────────────────────────────


def yaml_findings(crew: YamlCrew, seconds: float) -> Iterator[Finding]:
    """All mistakes of a crew in YAML, or that it is right. What it names is imported."""
    definition = crew.definition
    problems = [*_script(definition), *_references(crew, seconds)]
    if problems:
        yield from (_of(crew.name, each) for each in problems)
    else:
        yield build_finding(crew, seconds)


def _script(definition: Definition) -> Iterator[Problem]:
    models = {definition.crew.model, *map(_model, definition.agents.values())}
    if SCRIPTED in models:
        yield from script_problems(definition.folder, definition.tasks)


def _model(agent: AgentEntry) -> str | None:
    """The name of an agent's own model."""
    name = agent.llm.get("model") if isinstance(agent.llm, dict) else agent.llm
    return name if isinstance(name, str) else None


def _references(crew: YamlCrew, seconds: float) -> Iterator[Problem]:
    """What `module:Class` names and can't be imported, and approvals that don't go with their tool."""
    definition = crew.definition
    for name, entry in definition.crew.tools.items():
        if entry.use is not None:
            found = BoundedCall(lambda name=name, entry=entry: _tool(crew, name, entry)).within(seconds)  # type: ignore[misc]
            yield from _imported(found, definition.page, ("tools", name, "use"), seconds)
    for name, task in definition.tasks.items():
        model = task.crewai.get("output_pydantic")
        if is_reference(model):
            loaded = BoundedCall(lambda model=model: _class(str(model))).within(seconds)  # type: ignore[misc]
            yield from _imported(loaded, definition.tasks_page, (name, "output_pydantic"), seconds)


def _tool(crew: YamlCrew, name: str, entry: YamlToolEntry) -> list[Problem]:
    tool = made_tool(crew.definition, name, entry)
    return list(gate_problems(crew.definition, crew.gates, name, tool))


def _class(reference: str) -> list[Problem]:
    import_class(reference)
    return []


def _imported(
    outcome: Outcome[list[Problem]] | None, page: yaml_lines.Document, at: Location, seconds: float
) -> Iterator[Problem]:
    match outcome:
        case Returned(problems):
            yield from problems
        case Raised(CrewBroken(problem=Problem() as problem)):
            yield problem
        case Raised(error):
            words = str(refused("It can't be loaded", error))
            yield page.problem(at, words, "invalid_reference", "Correct the reference, or the module.")
        case None:
            yield page.problem(at, str(not_built_within(seconds)), "timeout")


def is_sound(crew: Blueprint, seconds: float) -> bool:
    """Whether nothing is wrong with a crew as this process has it. What it names is imported."""
    found = yaml_findings(crew, seconds) if isinstance(crew, YamlCrew) else (build_finding(crew, seconds),)
    return all(each.severity != "error" for each in found)


# ── building ────────────────────────────────────────────────────────────────────────────────────────────


def build_finding(crew: Blueprint, seconds: float) -> Finding:
    """Build the crew with sample inputs. Bounded in time."""
    match BoundedCall(lambda: crew.build(samples(crew.card().inputs))).within(seconds):
        case Returned(built) if notices := notices_of(built):
            remedy = "docs/crewai.md says what is durable."
            return Finding(crew.name, "warning", "not_durable", "; ".join(notices), remedy)
        case Returned(built) if unused := list(guarding_nothing(named_only(crew.gates.tools), built)):
            # Other than a file's, a factory's tools may be made by its code, in any call.
            words = "; ".join(f"the approval of {name}: it {wrong}" for name, wrong in unused)
            return Finding(crew.name, "warning", "invalid_approval", words, "Check the name.")
        case Returned(built) if lacking := keyless(built):
            words = f"The model of {', '.join(lacking)} needs its key"
            return Finding(crew.name, "warning", "missing_key", words, "Set OPENAI_API_KEY for the workers.")
        case Returned():
            return Finding(crew.name)
        case Raised(error):
            problem = refused("It can't be built", error)
            if problem is not error:
                problem.__cause__ = error
            return broken(crew.name, problem, crew)
        case None:
            return broken(crew.name, not_built_within(seconds), crew)


def keyless(built: object) -> list[str]:
    """The roles of agents whose model has no key: CrewAI says so when a run calls it first."""
    agents = [*built.agents, built.manager_agent] if isinstance(built, Crew) else []
    return [repr(each.role.strip()) for each in agents if each is not None and openai.lacks_key(each.llm)]


def broken(name: str, error: CrewBroken, crew: Blueprint | None = None) -> Finding:
    """The finding that a crew can't be loaded or built, where its author's code or file shows it."""
    if error.problem is not None:
        return _of(name, error.problem)
    file, line, key = _place(error, crew)
    return Finding(
        name,
        "warning" if error.code in OF_THE_ENVIRONMENT else "error",
        error.code,
        error.wrong,
        error.remedy or "Correct its definition; docs/crews.md describes it.",
        file,
        line,
        1 if line else 0,
        key,
    )


def _place(error: CrewBroken, crew: Blueprint | None) -> tuple[str, int, str]:
    cause = error.__cause__
    if isinstance(cause, SyntaxError) and cause.filename:
        return cause.filename, cause.lineno or 0, ""
    if isinstance(crew, YamlCrew):
        return _place_in_files(crew.definition, str(error))
    if isinstance(crew, PythonCrew) and (code := getattr(inspect.unwrap(crew.factory), "__code__", None)):
        for frame in reversed(traceback.extract_tb(cause.__traceback__) if cause is not None else []):
            if frame.filename == code.co_filename:
                return frame.filename, frame.lineno or 0, ""
        return code.co_filename, code.co_firstlineno, ""
    return "", 0, ""


def _place_in_files(definition: Definition, words: str) -> tuple[str, int, str]:
    """Where the model is named that the words are about, or the top of crew.yaml."""
    problem = definition.page.problem(("model",), words)
    if definition.crew.model is None or definition.crew.model not in words:
        for name, agent in definition.agents.items():
            if (model := _model(agent)) is not None and model in words:
                problem = definition.agents_page.problem((name, "llm"), words)
    return str(problem.file), problem.line, problem.key
