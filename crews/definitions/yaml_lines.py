"""YAML files with the position of each key."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pydantic import JsonValue

from crews.definitions import yaml_nodes
from crews.definitions.yaml_nodes import WHOLE, Invalid, Mapping, Node, Position, Scalar, short

Location = tuple[str | int, ...]

MAX_FILE_BYTES = 512 * 1024
"""Of one file. Texts of crews are pages, not books."""
KEPT_FILES = 256
"""Of how many the nodes are kept, by what was in them: an edit of one has all crews read again."""
KEPT_CHARACTERS = 16_000
"""Of each of those, at most."""


@dataclass(frozen=True)
class Problem:
    """A problem of a crew's definition, with its position."""

    file: Path
    #: From 1; 0 if it concerns the whole file.
    line: int
    #: With dots: `inputs.tone.default`; empty if it concerns the whole file.
    key: str
    message: str
    #: From 1; 0 if it concerns the whole file.
    column: int = 0
    #: What kind of problem it is, for programs.
    code: str = "invalid_value"
    #: What to do about it; empty where the message says so.
    remedy: str = ""

    def __str__(self) -> str:
        """One line, whatever is in a name, with the name that was probably meant."""
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        told = f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"
        if self.code in {"unknown_key", "unknown_name"} and self.remedy.endswith("?"):
            told = f"{told}. {self.remedy}"
        return "".join(
            each if each.isprintable() else each.encode("unicode_escape").decode() for each in told
        )


class Unreadable(Exception):  # noqa: N818 - says what happened
    """The file is missing or no valid YAML; `problem` has the details."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class Document:
    """A YAML file: its content as plain values, and the position of each."""

    file: Path
    content: JsonValue
    positions: dict[Location, Position]
    #: What was written for numbers, true and false: `0123` is 123, unless text is wanted.
    written: dict[Location, str] = field(default_factory=dict)

    def problem(
        self, location: Location, message: str, code: str = "invalid_value", remedy: str = ""
    ) -> Problem:
        """A problem at `location`, or at the nearest place around it that the file has."""
        at = location
        while at and at not in self.positions:
            at = at[:-1]
        line, column = self.positions.get(at, WHOLE)
        key = ".".join(short(str(each)) for each in location)
        return Problem(self.file, line, key, message, column, code, remedy)


def read(file: Path) -> Document:
    """Read a YAML file. Raises Unreadable."""
    try:
        node = _nodes(_text(file))
    except OSError as error:
        why = f"can't be read: {error.strerror or error}"
        raise Unreadable(Problem(file, 0, "", why, code="unreadable")) from error
    except UnicodeDecodeError as error:
        raise Unreadable(not_utf8(file, error)) from error
    except Invalid as error:
        line, column = error.at
        raise Unreadable(Problem(file, line, "", error.message, column, "not_yaml")) from error
    document = Document(file, {}, {(): Position(1, 1)})
    if node is None:
        return document
    return Document(file, _plain(document, (), node), document.positions, document.written)


def _nodes(text: str) -> Node | None:
    """What the text holds, which nobody changes. Raises Invalid."""
    return _kept_nodes(text) if len(text) <= KEPT_CHARACTERS else yaml_nodes.compose(text)


_kept_nodes = lru_cache(KEPT_FILES)(yaml_nodes.compose)


def not_utf8(file: Path, error: UnicodeDecodeError) -> Problem:
    """The problem of a file that has another encoding. `error`: of decoding its bytes."""
    line = error.object.count(b"\n", 0, error.start) + 1
    return Problem(
        file,
        line,
        "",
        "can't be read: it is no UTF-8 text",
        code="unreadable",
        remedy="Save the file as UTF-8.",
    )


def _text(file: Path) -> str:
    """The text of a regular file; opening a pipe would block. Raises OSError and UnicodeDecodeError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no file")
        content = opened.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise OSError(f"it is larger than {MAX_FILE_BYTES // 1024} KiB")
    return content.decode("utf-8-sig")


def _plain(document: Document, location: Location, node: Node) -> JsonValue:
    """The node as plain values; positions are added to the document. The depth is bounded."""
    if isinstance(node, Scalar):
        if not isinstance(node.value, str | None):
            document.written[location] = node.text
        return node.value
    if isinstance(node, Mapping):
        content: dict[str, JsonValue] = {}
        for name, (at, value) in node.entries.items():
            document.positions[*location, name] = at
            content[name] = _plain(document, (*location, name), value)
        return content
    items: list[JsonValue] = []
    for index, value in enumerate(node.items):
        document.positions[*location, index] = value.at
        items.append(_plain(document, (*location, index), value))
    return items
