"""What `pyproject.toml` says of a CrewAI project, as CrewAI's own commands read it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crews.definitions.yaml_lines import Problem

FILE = "pyproject.toml"


@dataclass(frozen=True)
class Settings:
    """`[tool.crewai]`, and what people may read of the project."""

    description: str = ""
    #: crew or flow; empty if it isn't said.
    type: str = ""
    #: The file that defines the crew or the flow.
    definition: Path | None = None


def read(root: Path) -> tuple[Settings, list[Problem]]:
    """The settings of the project in this folder, and what is wrong with them."""
    file = root / FILE
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Settings(), []
    except (OSError, ValueError) as error:
        return Settings(), [Problem(file, 0, "", f"can't be read: {error}")]
    crewai = _table(_table(content, "tool"), "crewai")
    kind, named = crewai.get("type"), crewai.get("definition")
    settings = Settings(_text(_table(content, "project").get("description")), _text(kind))
    if named is None:
        return settings, []
    definition = (root / _text(named)).resolve()
    if not _text(named) or not definition.is_relative_to(root.resolve()) or not definition.is_file():
        wrong = f"must be a file of the project, not {named!r}"
        return settings, [Problem(file, 0, "tool.crewai.definition", wrong)]
    return Settings(settings.description, settings.type, definition), []


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
