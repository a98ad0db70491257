"""Values of CrewAI's keys in YAML, as CrewAI takes them: references become what they name."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from crews.definitions.crewai_keys import REFERENCES
from crews.definitions.entry import is_reference
from crews.definitions.exceptions import CrewBroken
from crews.definitions.tool_options import import_class


def resolved(key: str, value: JsonValue, folder: Path) -> Any:
    """The value of a key. `folder`: the crew's, to which paths of skills are relative. Raises CrewBroken."""
    if key == "skills" and isinstance(value, list):
        return [_path(each, folder) for each in value]
    if key in REFERENCES and isinstance(value, list):
        return [resolved(key, each, folder) for each in value]
    if key in REFERENCES and is_reference(value):
        return import_class(str(value))
    return _with_references(value)


def _path(value: JsonValue, folder: Path) -> Any:
    if isinstance(value, str) and (folder / value).exists():
        return folder / value
    return _with_references(value)


def _with_references(value: JsonValue) -> Any:
    """References as CrewAI's own files have them: `{python: package.module.name}`."""
    match value:
        case dict() if [*value] == ["python"]:
            return _named(str(value["python"]))
        case dict():
            return {key: _with_references(each) for key, each in value.items()}
        case list():
            return [_with_references(each) for each in value]
    return value


def _named(name: str) -> Any:
    module, _, attribute = name.strip().rpartition(".")
    if not is_reference(f"{module}:{attribute}"):
        raise CrewBroken(f"{name!r} must be the name of something in Python, such as package.module.name")
    return import_class(f"{module}:{attribute}")
