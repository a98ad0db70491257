"""Parses YAML 1.2 into nodes with their positions. Tags construct nothing; size and depth are bounded.

ruamel.yaml reads the text; the tree is built here, from its events, since its own composer recurses, follows
aliases to themselves, and converts values in ways that YAML 1.2 doesn't know (`1_000`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.reader import ReaderError

MAX_NODES = 20_000
"""Values and keys of a file, each alias counted as all that it stands for."""
MAX_DEPTH = 50
"""Levels, likewise."""

MERGE = "<<"
_CORE = "tag:yaml.org,2002:"

# What an unquoted scalar is, by the core schema of YAML 1.2.
_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)

MAX_INTEGER_LENGTH = 100
"""Digits. Python refuses to read 4,300; nobody means a hundred."""
MAX_QUOTE_LENGTH = 60
"""Characters of the file that a message repeats in one place."""


def short(text: str) -> str:
    """A text shortened for a message."""
    return text if len(text) <= MAX_QUOTE_LENGTH else f"{text[: MAX_QUOTE_LENGTH - 1]}…"


class Position(NamedTuple):
    """Where something begins in its file. Both count from 1; 0 concerns all of it."""

    line: int
    column: int = 0


WHOLE = Position(0)


class Invalid(Exception):  # noqa: N818 - says what is wrong
    """The text is no YAML that Crewdeck accepts."""

    def __init__(self, at: Position, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


@dataclass(frozen=True)
class Scalar:
    """A value without parts."""

    at: Position
    #: As it is written, without quotes and escapes.
    text: str
    value: str | int | float | bool | None
    #: Without quotes and tag.
    plain: bool = False
    size: int = 1
    depth: int = 0


@dataclass
class Mapping:
    """Keys and values. A key is always text: `1:` and `"1":` are the same."""

    at: Position
    entries: dict[str, tuple[Position, Node]] = field(default_factory=dict)
    #: What `<<` names: its keys count where this mapping doesn't have them.
    merged: list[Mapping] = field(default_factory=list)
    #: The key whose value comes next, and its position.
    key: tuple[Scalar, Position] | None = None
    size: int = 1
    depth: int = 1


@dataclass
class Sequence:
    """A list of YAML, with its items in their order."""

    at: Position
    items: list[Node] = field(default_factory=list)
    size: int = 1
    depth: int = 1


Collection = Mapping | Sequence
Node = Scalar | Collection


def compose(text: str) -> Node | None:
    """The one document in `text`; None if there is nothing in it. Raises Invalid."""
    tree = _Tree()
    for event in _events(text):
        tree.take(event)
    return tree.root


def _position(mark: StreamMark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _events(text: str) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except ReaderError as error:
        before = text[: error.position]
        at = Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        raise Invalid(at, f"is no YAML: there is a character U+{error.character:04X} in it") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Invalid(
            _position(mark) if mark else WHOLE, f"is no YAML: {short(str(error.problem or error.context))}"
        ) from error
    except (YAMLError, ValueError, OverflowError, LookupError, AttributeError, TypeError) as error:
        # The parser raises plain Python errors for some input, such as an escape beyond Unicode.
        raise Invalid(WHOLE, f"is no YAML: {short(str(error))}") from error


class _Tree:
    """Built from events, without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._documents = 0
        self._open: list[Collection] = []
        #: What each anchor names; None while that isn't complete.
        self._anchors: dict[str, Node | None] = {}
        self._names: list[str | None] = []
        self._seen = 0

    def take(self, event: Event) -> None:
        """Add the parser's next event. Raises Invalid."""
        at = _position(event.start_mark)
        match event:
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise Invalid(at, "has several documents; one is read from a file, so take out `---`")
            case AliasEvent():
                self._put(self._named(str(event.anchor), at), at)
            case ScalarEvent():
                self._put(self._name(event, _scalar(event, at)), at)
            case CollectionStartEvent():
                self._begin(event, at)
            case CollectionEndEvent():
                self._end()

    def _named(self, anchor: str, at: Position) -> Node:
        if anchor not in self._anchors:
            raise Invalid(at, f"*{short(anchor)} stands for nothing: no &{short(anchor)} comes before it")
        node = self._anchors[anchor]
        if node is None:
            raise Invalid(at, f"*{short(anchor)} stands for something that it is in itself")
        return node

    def _name(self, event: NodeEvent, node: Node) -> Node:
        if event.anchor is not None:
            self._anchors[str(event.anchor)] = node
        return node

    def _begin(self, event: CollectionStartEvent, at: Position) -> None:
        mapping = isinstance(event, MappingStartEvent)
        if event.tag not in {None, "!", f"{_CORE}{'map' if mapping else 'seq'}"}:
            raise Invalid(at, _unknown(event.tag))
        if len(self._open) >= MAX_DEPTH:
            raise Invalid(at, _too_deep())
        self._names.append(None if event.anchor is None else str(event.anchor))
        if event.anchor is not None:
            self._anchors[str(event.anchor)] = None
        self._open.append(Mapping(at) if mapping else Sequence(at))

    def _end(self) -> None:
        node, name = self._open.pop(), self._names.pop()
        if isinstance(node, Mapping):
            _merge(node)
        if name is not None:
            self._anchors[name] = node
        self._put(node, node.at)

    def _put(self, node: Node, at: Position) -> None:
        self._seen += 1
        if not self._open:
            self.root = node
            return
        into = self._open[-1]
        into.size += node.size
        into.depth = max(into.depth, node.depth + 1)
        if max(into.size, self._seen) > MAX_NODES:
            raise Invalid(at, f"has more than {MAX_NODES:,} values in it, aliases counted in full")
        if len(self._open) + node.depth > MAX_DEPTH:
            raise Invalid(at, _too_deep())
        if isinstance(into, Sequence):
            into.items.append(node)
        elif into.key is None:
            into.key = (_key(node, at), at)
        else:
            _enter(into, into.key, node)
            into.key = None


def _key(node: Node, at: Position) -> Scalar:
    if not isinstance(node, Scalar):
        raise Invalid(at, "has a key that isn't text; write `key: value`")
    return node


def _enter(mapping: Mapping, key: tuple[Scalar, Position], node: Node) -> None:
    name, at = key[0].text, key[1]
    if name == MERGE and key[0].plain:
        mapping.merged += _mappings(node, at)
    elif name in mapping.entries:
        raise Invalid(at, f"{short(name)}: is there twice (also in line {mapping.entries[name][0].line})")
    else:
        mapping.entries[name] = (at, node)


def _mappings(node: Node, at: Position) -> list[Mapping]:
    several = node.items if isinstance(node, Sequence) else [node]
    found = [each for each in several if isinstance(each, Mapping)]
    if len(found) < len(several):
        raise Invalid(at, "<<: takes the keys of an alias, or of a list of aliases, that stand for keys")
    return found


def _merge(mapping: Mapping) -> None:
    for other in mapping.merged:
        for name, entry in other.entries.items():
            mapping.entries.setdefault(name, entry)


def _scalar(event: ScalarEvent, at: Position) -> Scalar:
    text = _whole(event.value, at)
    plain = event.implicit[0] and event.tag is None
    return Scalar(at, text, _value(text, at) if plain else _tagged(event.tag, text, at), plain)


def _whole(text: str, at: Position) -> str:
    """The text, in which two escapes may make one character, as JSON writes those beyond U+FFFF."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise Invalid(at, "has half a character in it: an escape such as \\ud83d alone") from None


def _value(text: str, at: Position) -> str | int | float | bool | None:
    """The value of unquoted text."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return _integer(text, at)
    if _NUMBER.fullmatch(text):
        return float(re.sub(r"\.(?=[in])", "", text.lower()))
    return text


def _integer(text: str, at: Position) -> int:
    if len(text) > MAX_INTEGER_LENGTH:
        raise Invalid(at, f"has a number of {len(text):,} digits; write it in quotes if it is text")
    base = {"0o": 8, "0x": 16}.get(text[:2])
    return int(text) if base is None else int(text[2:], base)


def _tagged(tag: str | None, text: str, at: Position) -> str | int | float | bool | None:
    """The value of quoted or tagged text."""
    if tag in {None, "!", f"{_CORE}str"}:
        return text
    kinds: dict[str, type | tuple[type, ...]] = {
        "int": int,
        "float": (int, float),
        "bool": bool,
        "null": type(None),
    }
    kind = kinds.get(str(tag).removeprefix(_CORE))
    if kind is None or not str(tag).startswith(_CORE):
        raise Invalid(at, _unknown(tag))
    value = _value(text, at)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise Invalid(at, f"!!{str(tag).removeprefix(_CORE)} doesn't go with {short(text)!r}")
    return float(value) if kind == (int, float) and value is not None else value


def _unknown(tag: str | None) -> str:
    shown = short(str(tag).replace(_CORE, "!!"))
    return f"has the tag {shown}, which isn't known here; values are plain YAML"


def _too_deep() -> str:
    return f"is nested in more than {MAX_DEPTH} levels, aliases counted in full"
