"""What a YAML file has becomes entries, and whatever is wrong becomes problems with their places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

from crews.definitions.entry import Entry
from crews.definitions.yaml_lines import Document, Location, Problem

PLAIN_WORDS = {
    "missing": "is missing",
    "model_type": "must have keys with values below it",
    "dict_type": "must have keys with values below it",
}
"""For what pydantic says in words of Python, by its type of error."""

E = TypeVar("E", bound=Entry)


def validated(
    kind: type[E], page: Document, at: Location, content: JsonValue
) -> tuple[E | None, list[Problem]]:
    """What is at this place of a page, as an entry, or all that is wrong with it."""
    try:
        return kind.model_validate(content), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    if _took_as_text(page, at, content, details):
        return validated(kind, page, at, content)
    return None, [page.problem((*at, *_place(each["loc"])), _words(kind, each)) for each in details]


def _took_as_text(
    page: Document, at: Location, content: JsonValue, details: Iterable[Mapping[str, Any]]
) -> bool:
    """Where text is wanted and a number, true or false was read, that becomes what is written for it."""
    taken = False
    for each in details:
        place = _place(each["loc"])
        written = page.written.get((*at, *place)) if each["type"] == "string_type" else None
        if written is not None:
            taken = _put(content, place, written) or taken
    return taken


def _put(content: Any, place: tuple[int | str, ...], written: str) -> bool:  # noqa: ANN401 - what a file has
    """Replace what is there; whether it wasn't the same before."""
    for key in place[:-1]:
        content = content[key]
    before, content[place[-1]] = content[place[-1]], written
    return bool(before != written)


def _place(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location without the names that pydantic adds for the branches of a union and for keys."""
    branches = {"str", "int", "float", "bool", "list[str]", "[key]"}
    return tuple(each for each in location if each not in branches)


def _words(kind: type[Entry], error: Mapping[str, object]) -> str:
    match error["type"]:
        case "extra_forbidden" if error["loc"] == ("max_execution_time",):
            return "would count the time that people take; set limits.time in crew.yaml"
        case "extra_forbidden":
            known = f" (known here: {', '.join(kind.model_fields)})" if len(error["loc"]) == 1 else ""  # type: ignore[arg-type]
            return f"is no key that Crewdeck knows{known}"
        case "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
        case "string_type" if error["input"] is None:
            return "is empty where text is wanted; write it, in quotes if the text is ~ or null"
        case _:
            said = str(error["msg"])
            return PLAIN_WORDS.get(str(error["type"])) or said[:1].lower() + said[1:]


def validated_all(kind: type[E], page: Document) -> tuple[dict[str, E], list[Problem]]:
    """All entries of a page, by name; and all problems of the others."""
    if not isinstance(page.content, dict) or not page.content:
        return {}, [page.problem((), "must name at least one entry, each with its keys below it")]
    entries: dict[str, E] = {}
    problems: list[Problem] = []
    for name, content in page.content.items():
        entry, found = validated(kind, page, (name,), content)
        problems += found
        if entry is not None:
            entries[name] = entry
    return entries, problems
