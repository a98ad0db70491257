"""Validates the content of YAML files: entries, or problems with their positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

from pydantic import JsonValue, ValidationError

from crews.definitions.crewai_keys import OTHERS, REFUSED, WithCrewaiKeys
from crews.definitions.entry import Entry
from crews.definitions.yaml_lines import Document, Location, Problem

MUST_BE = "must be "
PLAIN_WORDS = {
    "missing": "is missing",
    "model_type": "must have keys with values below it",
    "dict_type": "must have keys with values below it",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "bool_type": "must be true or false",
}
"""For what pydantic says in words of Python, by its type of error."""

E = TypeVar("E", bound=Entry)


def validated(
    kind: type[E], page: Document, at: Location, content: JsonValue
) -> tuple[E | None, list[Problem]]:
    """The entry at this location of a file, or all of its problems."""
    try:
        return kind.model_validate(content), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    if _replaced_by_text(page, at, content, details):
        return validated(kind, page, at, content)
    return None, _alternatives([_problem(kind, page, at, each) for each in details])


def _alternatives(problems: Iterable[Problem]) -> list[Problem]:
    """The problems, with what a value may be instead in one of them: it has one for each kind of value."""
    found: list[Problem] = []
    for each in problems:
        last = found[-1] if found else None
        same = last is not None and (last.line, last.key) == (each.line, each.key)
        if (
            last is not None
            and same
            and last.message.startswith(MUST_BE)
            and each.message.startswith(MUST_BE)
        ):
            found[-1] = replace(last, message=f"{last.message}, or {each.message.removeprefix(MUST_BE)}")
        else:
            found.append(each)
    return found


def _problem(kind: type[Entry], page: Document, at: Location, error: Mapping[str, Any]) -> Problem:
    place = _place(error["loc"])
    match error["type"]:
        case "extra_forbidden" if (
            len(place) == 1 and place[0] in REFUSED and issubclass(kind, WithCrewaiKeys)
        ):
            return page.problem((*at, *place), REFUSED[str(place[0])], "unknown_key", "Remove it.")
        case "extra_forbidden":
            known = known_keys(kind, place[:-1])
            near = did_you_mean(str(place[-1]), known)
            words = _words([] if near else known, error)
            return page.problem((*at, *place), words, "unknown_key", near or "Remove it.")
        case "missing":
            return page.problem((*at, *place), _words([], error), "required", "Add it.")
        case _:
            return page.problem((*at, *place), _words([], error))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The remedy for a name that nobody has, if one of the known ones is nearly the same; empty otherwise."""
    near = get_close_matches(name, list(known), 1)
    return f"Did you mean {near[0]}?" if near else ""


def known_keys(kind: type[Entry], place: Location) -> list[str]:
    """The keys that an entry of this kind may have at a place in it; none if that is no entry."""
    current: type[Entry] | None = kind
    named = False  # Whether the next part of the location is a name of the author's, such as a task's.
    for part in place:
        if named or isinstance(part, int) or current is None:
            named = False
            continue
        annotation = _annotations(current).get(part)
        current = next(_entries(annotation), None)
        named = any(get_origin(each) is dict for each in (annotation, *get_args(annotation)))
    return list(_annotations(current)) if current is not None and not named else []


def _annotations(kind: type[Entry]) -> dict[str, Any]:
    """The keys of an entry, with what each may be."""
    own = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    if not issubclass(kind, WithCrewaiKeys):
        return own
    return {key: each for key, each in own.items() if key != OTHERS} | dict.fromkeys(sorted(kind.crewai_keys))


def _entries(annotation: object) -> Iterator[type[Entry]]:
    """The entries that a value with this annotation may be, or have in it."""
    if isinstance(annotation, type) and issubclass(annotation, Entry):
        yield annotation
    for each in get_args(annotation):
        yield from _entries(each)


def _replaced_by_text(
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
    branches = {"str", "int", "float", "bool", "[key]"}
    return tuple(each for each in location if each not in branches and not str(each).startswith("list["))


def _words(known: list[str], error: Mapping[str, object]) -> str:
    match error["type"]:
        case "extra_forbidden":
            named = f" (known here: {', '.join(known)})" if known else ""
            return f"is no key that Crewdeck knows{named}"
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
        why = "must name at least one entry, each with its keys below it"
        return {}, [page.problem((), why, "required")]
    entries: dict[str, E] = {}
    problems: list[Problem] = []
    for name, content in page.content.items():
        entry, found = validated(kind, page, (name,), content)
        problems += found
        if entry is not None:
            entries[name] = entry
    return entries, problems
