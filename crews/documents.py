"""YAML files that know on which line each of their keys stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml
from pydantic import JsonValue

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """What is wrong with a crew's definition, and where."""

    file: Path
    #: From 1; 0 if it concerns the whole file.
    line: int
    #: With dots: `inputs.tone.default`; empty if it concerns the whole file.
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class Unreadable(Exception):  # noqa: N818 - says what happened
    """The file is missing or is no YAML; `problem` says so."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class Document:
    """A YAML file: its content as plain values, and where everything in it is."""

    file: Path
    content: JsonValue
    lines: dict[Location, int]

    def problem(self, location: Location, message: str) -> Problem:
        """A problem at `location`, or at the nearest place around it that the file has."""
        at = location
        while at and at not in self.lines:
            at = at[:-1]
        return Problem(self.file, self.lines.get(at, 0), ".".join(map(str, location)), message)


def read(file: Path) -> Document:
    """Read a YAML file. Raises Unreadable."""
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(Problem(file, 0, "", f"can't be read: {_reason(error)}")) from error
    except yaml.YAMLError as error:
        raise Unreadable(_syntax(file, error)) from error
    if node is None:
        return Document(file, {}, {(): 1})
    lines: dict[Location, int] = {}
    for location, line in _lines((), node):
        if location in lines:
            raise Unreadable(Problem(file, line, ".".join(map(str, location)), "is there twice"))
        lines[location] = line
    return Document(file, _plain(node), {(): 1} | lines)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is no UTF-8 text"


def _syntax(file: Path, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    return Problem(file, mark.line + 1 if mark else 0, "", f"is no YAML: {said}")


def _lines(location: Location, node: yaml.Node) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*location, str(key.value))
            yield below, key.start_mark.line + 1
            yield from _lines(below, value)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            below = (*location, index)
            yield below, value.start_mark.line + 1
            yield from _lines(below, value)


def _plain(node: yaml.Node) -> JsonValue:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value) for value in node.value]
    value = yaml.SafeLoader("").construct_object(node)
    return value.isoformat() if isinstance(value, date) else value
