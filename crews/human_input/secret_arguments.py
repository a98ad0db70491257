"""Secrets among the arguments of a tool: what its schema declares as secret, and what an approval hides."""

from __future__ import annotations

# ruff: noqa: ANN401 - parts of a schema are of any kind
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bot.core.questions.tool_call import SEPARATOR


def secrets_in(schema: Mapping[str, Any], whole: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """The properties that are secret, or have something secret in them that has no name of its own."""
    properties = schema.get("properties")
    for name, each in properties.items() if isinstance(properties, dict) else ():
        prop, place = not_null(resolved(each, whole), whole), f"{at}{name}"
        if _declares_secret(prop):
            yield place
        elif isinstance(prop.get("properties"), dict) and place.count(SEPARATOR) < _MAX_DEPTH:
            yield from secrets_in(prop, whole, f"{place}{SEPARATOR}")
        elif _mentions_secret(prop, whole):
            yield place


def resolve_hidden(name: str, whole: Mapping[str, Any]) -> tuple[str, str]:
    """Where an argument to hide is, and which part of its name is no argument.

    What is in a list, or under names that the schema doesn't know, is hidden with all of that.
    """
    schema, path = whole, name.split(SEPARATOR)
    for depth, each in enumerate(path):
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return (SEPARATOR.join(path[:depth]) or name), ""
        if each not in properties:
            return (SEPARATOR.join(path[:depth]) or name), each
        schema = not_null(resolved(properties[each], whole), whole)
    return name, ""


_MAX_DEPTH = 5
"""Objects in objects whose properties are looked at one by one."""


def _declares_secret(prop: Mapping[str, Any]) -> bool:
    return prop.get("writeOnly") is True or prop.get("format") == "password"


def _mentions_secret(part: Any, whole: Mapping[str, Any], seen: Collection[str] = ()) -> bool:
    """Whether anything within this part of a schema is secret."""
    match part:
        case dict():
            reference = part.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                target = resolved(part, whole)
                if _mentions_secret(target, whole, {*seen, reference}):
                    return True
            return _declares_secret(part) or any(
                _mentions_secret(each, whole, seen) for key, each in part.items() if key != "$ref"
            )
        case list():
            return any(_mentions_secret(each, whole, seen) for each in part)
    return False


def not_null(prop: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a property is if it isn't null."""
    kinds = prop.get("anyOf") or prop.get("oneOf")
    others = [each for each in kinds if each != {"type": "null"}] if isinstance(kinds, list) else []
    return {**prop, **resolved(others[0], whole)} if len(others) == 1 else prop


def resolved(part: Any, whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a schema that a reference stands for."""
    if not isinstance(part, dict):
        return {}
    reference = part.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return part
    target: Any = whole
    for step in reference[2:].split("/"):
        target = target.get(step) if isinstance(target, dict) else None
    return {**target, **part} if isinstance(target, dict) else part


def without_secret_values(part: Any) -> Any:
    """The schema, in which secrets have no defaults and examples."""
    match part:
        case dict():
            left_out = {"default", "examples", "const", "enum"} if _declares_secret(part) else set()
            return {key: without_secret_values(each) for key, each in part.items() if key not in left_out}
        case list():
            return [without_secret_values(each) for each in part]
    return part
