"""From the catalogue to crews that can be built: imports crewai, and the packages that register factories."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from pydantic import JsonValue

from bot.core.model import InputField, InputKind
from bot.settings import Settings
from crews.build import Blueprint, CrewBroken, PythonCrew, YamlCrew
from crews.catalog import FILES, Catalog
from crews.entry import card_of
from crews.failures import of_build
from crews.flows import seams
from crews.warming import complete_answers

log = structlog.get_logger(__name__)


def blueprints(catalog: Catalog, settings: Settings) -> dict[str, Blueprint]:
    """All crews that can be loaded, by name; what is wrong with others is logged. YAML goes before Python."""
    complete_answers()
    found: dict[str, Blueprint] = {
        name: YamlCrew(definition, settings.model) for name, definition in catalog.definitions.items()
    }
    for entry in catalog.factories:
        if entry.name in found:
            log.warning("a factory is hidden by a folder of the same name", crew=entry.name)
            continue
        try:
            crew = PythonCrew.load(entry)
            card_of(entry.name, crew.factory)
        except CrewBroken as error:
            log.warning("a crew can't be loaded", crew=entry.name, problem=str(error))
        else:
            found[entry.name] = crew
    return found


def check(catalog: Catalog, settings: Settings) -> Iterator[dict[str, object]]:
    """Build every crew for real: what is wrong with which one, and the remedy."""
    for problem in catalog.problems:
        name = problem.file.parent.name if problem.file.name in FILES else problem.file.name
        yield _finding(name, str(problem), "Correct the file; docs/crews.md describes it.")
    loaded = blueprints(catalog, settings)
    seams.install()  # as where they run: a Flow is built in a moment
    for entry in catalog.factories:
        if entry.name not in loaded:
            yield _finding(entry.name, f"{entry.value} can't be loaded", "Install or correct its package.")
    for name, crew in loaded.items():
        yield _built(name, crew)


def _built(name: str, crew: Blueprint) -> dict[str, object]:
    try:
        crew.build({field.name: _sample(field) for field in crew.card().inputs})
    except Exception as error:  # noqa: BLE001 - whatever a crew's own code raises is a finding
        found = of_build(error)
        sentence, _, remedy = (
            found.message.partition(". ")
            if isinstance(error, CrewBroken)
            else (f"{type(error).__name__}: {error}", "", "")
        )
        return _finding(
            name, sentence, remedy or "Correct its definition; docs/crews.md describes it.", found.code
        )
    return {"crew": name, "ok": True, "code": None, "problem": None, "remedy": None}


def _sample(field: InputField) -> JsonValue:
    """A value that the input could have."""
    if field.default is not None:
        return field.default
    match field.type:
        case InputKind.INTEGER | InputKind.NUMBER:
            return 1
        case InputKind.BOOLEAN:
            return False
        case InputKind.CHOICE:
            return field.choices[0]
        case InputKind.DATE:
            return "2000-01-01"
        case InputKind.STRING | InputKind.TEXT:
            return field.name


def _finding(name: str, problem: str, remedy: str, code: str = "crew_broken") -> dict[str, object]:
    return {"crew": name, "ok": False, "code": code, "problem": problem, "remedy": remedy}
