"""From a candidate to a function that makes its crew: imports the project's code, or reads its files."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crewai import Crew
from crewai.flow.flow import Flow
from crewai.project.crew_loader import load_crew
from pydantic import JsonValue

from crews.crewai_adapter.at_import import importing
from crews.crewai_adapter.class_cache import crew_method
from crews.crewai_adapter.flows.access import description_of
from crews.definitions.decorator import CREW_ATTRIBUTE
from crews.definitions.exceptions import CrewBroken
from crews.projects.discovery import Candidate, Kind

CREW_METHOD = "crew"
"""What `crewai create` calls the method with `@crew`; also where a base class has it."""


@dataclass(frozen=True)
class ImportedCandidate:
    """How a crew is made, and what the project says of it itself."""

    make: Callable[[], object]
    description: str = ""
    #: Values of placeholders, where a crew file has them.
    defaults: dict[str, Any] = field(default_factory=dict)
    #: A factory that Crewdeck's decorator declares, `(inputs) -> Crew`.
    factory: Callable[[dict[str, JsonValue]], Any] | None = None


def import_candidate(candidate: Candidate) -> ImportedCandidate:
    """Import what a candidate is. Raises CrewBroken, and whatever the project's code raises."""
    match candidate.kind:
        case Kind.CREW_FILE:
            return ImportedCandidate(
                lambda: load_crew(candidate.file)[0], defaults=load_crew(candidate.file)[1]
            )
        case Kind.FLOW_FILE:
            flow: Any = Flow.from_declaration(path=candidate.file)
            return ImportedCandidate(lambda: Flow.from_declaration(path=candidate.file), description_of(flow))
        case _:
            return _from_python(candidate)


def _from_python(candidate: Candidate) -> ImportedCandidate:
    try:
        with importing():
            module = importlib.import_module(candidate.module)
    except ModuleNotFoundError as error:
        if f"{candidate.module}.".startswith(
            f"{error.name}."
        ):  # its package is another one's: `email`, `code`
            package = sys.modules.get(candidate.module.partition(".")[0])
            _check_origin(candidate, getattr(package, "__file__", None))
        raise
    _check_origin(candidate, getattr(module, "__file__", None))
    found = getattr(module, candidate.key, None)
    if found is None:
        raise CrewBroken(f"{candidate.file}: there is no {candidate.key} in it.")
    said = _first_line(found)
    if isinstance(found, Crew):
        return ImportedCandidate(found.copy)
    if isinstance(found, type):
        return ImportedCandidate(_of_class(candidate, found), said)
    if not callable(found):
        raise CrewBroken(f"{candidate.place}: {candidate.key} is no crew, no flow, and makes none.")
    if hasattr(found, CREW_ATTRIBUTE):
        return ImportedCandidate(lambda: found({}), said, factory=found)
    if _needed(inspect.signature(found)):
        raise CrewBroken(
            f"{candidate.place}: {candidate.key} needs arguments",
            remedy="Give them defaults, or declare it with crewdeck.crew: then it is called with the inputs.",
        )
    return ImportedCandidate(found, said)


_GIVEN = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


def _needed(signature: inspect.Signature) -> list[str]:
    """The arguments without a default."""
    parameters = signature.parameters.values()
    return [each.name for each in parameters if each.default is each.empty and each.kind in _GIVEN]


def _of_class(candidate: Candidate, found: type[Any]) -> Callable[[], object]:
    if needed := _needed(inspect.signature(found.__init__))[1:]:
        raise CrewBroken(
            f"{candidate.place}: {candidate.key} can't be made without {', '.join(needed)}",
            remedy="Give them defaults, or make it in a function that crewdeck.crew declares.",
        )
    if issubclass(found, Flow):
        return found
    if not getattr(found, "is_crew_class", False):
        raise CrewBroken(f"{candidate.place}: {candidate.key} is neither a Flow nor a class with @CrewBase.")
    method = crew_method(found) or CREW_METHOD
    if not callable(getattr(found, method, None)):
        raise CrewBroken(f"{candidate.place}: {candidate.key} has no method with @crew.")

    def make() -> object:
        return getattr(found(), method)()  # a new instance, which has the state of one run

    return make


def _first_line(found: object) -> str:
    """The first line of its own docstring."""
    written = vars(found).get("__doc__") if isinstance(found, type) else getattr(found, "__doc__", None)
    lines = written.strip().splitlines() if isinstance(written, str) else []
    return lines[0].strip() if lines and not isinstance(found, Crew) else ""


def _check_origin(candidate: Candidate, origin: str | None) -> None:
    """Another installed package may have the module's name; then the project's file would never be run."""
    if origin is None or Path(origin).resolve() != candidate.file.resolve():
        raise CrewBroken(
            f"{candidate.file}: the name {candidate.module} belongs to {origin or 'another package'}",
            remedy="Rename the module, or put it into a package of its own.",
        )
