"""Fingerprints of content that are the same in every process: of a step's arguments, and of messages.

Values count by their type and by what they hold: `5`, `5.0`, `True` and `"5"` are different, so are `0.0` and
`-0.0`, a list and a tuple. The order counts in sequences, not in dicts and sets. Objects count by what they
would be pickled from, that is their attributes unless their class says otherwise. What can't be pickled (a
client with its lock, a generator, a file) has no value: it counts as its class, so that two of the same class
are told apart by their order only. No address counts, nor what changes from process to process: a class whose
attributes do that (a random id, the time) should say by `__getstate__` what it stands for.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - arguments may be anything
import copyreg
import dataclasses
import hashlib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from pathlib import PurePath
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from crews.journal.serialization import TooDeep

_LENGTH = 20
_LEAVES: dict[type, Callable[[Any], str]] = {
    type(None): str,
    bool: str,
    int: hex,  # Python limits decimal conversion to 4,300 digits
    float: repr,
    str: str,
    bytes: bytes.hex,
    UUID: str,
}
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
_IDS = frozenset({"id", "call_id", "tool_call_id", "tool_use_id", "toolUseId"})
"""Ids of calls: providers draw them anew, or they are addresses. Whose they are follows from their order."""
_OPAQUE = frozenset({"raw_tool_call_parts"})
"""The provider's own objects, which repeat the content of the rest of the message."""


class _NoStableValue(Exception):  # noqa: N818 - a signal
    """The object can't be told from another one by its content."""


def fingerprint(*content: object, normalize: Callable[[str], str] | None = None) -> str:
    """A fingerprint that is the same in every process. `normalize` makes of a text what it counts as.

    Raises TooDeep.
    """
    nesting = _Nesting(normalize=normalize)
    try:
        return _digest("content", [_token(each, nesting) for each in content])[:_LENGTH]
    except RecursionError as error:
        raise TooDeep("A value is nested too deeply to be told from others.") from error


def shape(kind: type[BaseModel]) -> str:
    """A fingerprint of the class's schema."""
    try:
        return fingerprint(kind.__name__, kind.model_json_schema())
    except PydanticUserError:  # Some fields have classes without a schema.
        fields = {name: str(each.annotation) for name, each in kind.model_fields.items()}
        return fingerprint(kind.__name__, fields)


def messages_for_model(messages: object) -> object:
    """Messages without the ids that providers give to calls of tools; all else counts by its value."""
    if not isinstance(messages, list | tuple):
        return messages
    ids: dict[str, int] = {}
    return [_message(each, ids) for each in messages]


def _message(message: object, ids: dict[str, int]) -> object:
    """Ids of calls are at the top of a message, of each of its calls, and of each block of its content."""
    fields = _without_ids(message, ids)
    if not isinstance(fields, dict):
        return fields
    for name in ("tool_calls", "content"):
        parts = fields.get(name)
        if isinstance(parts, list | tuple):
            fields[name] = [_block(part, ids) for part in parts]
    return {name: each for name, each in fields.items() if name not in _OPAQUE}


def _block(block: object, ids: dict[str, int]) -> object:
    fields = _without_ids(block, ids)
    if isinstance(fields, dict):
        for name in ("toolUse", "toolResult"):  # the format of Bedrock
            if name in fields:
                fields[name] = _without_ids(fields[name], ids)
    return fields


def _without_ids(part: object, ids: dict[str, int]) -> object:
    fields = dict(part) if isinstance(part, Mapping | BaseModel) else None
    if fields is None:
        return part
    return {
        name: ids.setdefault(str(each), len(ids)) if name in _IDS and each is not None else each
        for name, each in fields.items()
    }


class _Nesting(NamedTuple):
    """What a value is a part of."""

    #: The addresses of all that is around it, which finds cycles.
    path: tuple[int, ...] = ()
    #: Whether an object is among them.
    object: bool = False
    #: What a text counts as; None: itself.
    normalize: Callable[[str], str] | None = None


def _token(value: Any, nesting: _Nesting) -> str:
    kind = type(value)
    leaf = _LEAVES.get(kind)
    if leaf is not None:
        read = leaf(value)
        return f"{kind.__name__}:{nesting.normalize(read) if nesting.normalize and kind is str else read}"
    if nesting.normalize is not None and isinstance(value, PurePath):
        read = nesting.normalize(str(value))
        if read != str(value):
            return f"{_name(kind)}:{read}"
    if id(value) in nesting.path:
        return f"cycle:{nesting.path.index(id(value))}"
    if isinstance(value, _NAMED):
        return f"name:{_name(value)}"
    return _composed(value, nesting._replace(path=(*nesting.path, id(value))))


def _composed(value: Any, nesting: _Nesting) -> str:
    tag = _name(type(value))
    names = _fields(value)
    if isinstance(value, Enum):
        parts = [str(value.name)]
    elif names is not None:
        parts = _pairs(((name, getattr(value, name, None)) for name in names), nesting)
    elif isinstance(value, Mapping):
        parts = _pairs(list(value.items()), nesting)
    elif isinstance(value, AbstractSet):
        parts = sorted(_token(each, nesting) for each in value)
    elif isinstance(value, list | tuple):
        parts = [_token(each, nesting) for each in value]
    elif isinstance(value, bytearray | memoryview):
        parts = [bytes(value).hex()]
    else:
        return _object(value, tag, nesting)
    return _digest(tag, parts)


def _fields(value: Any) -> list[str] | None:
    """The names of what a model or a dataclass holds; None of other values."""
    if isinstance(value, BaseModel):
        return [*type(value).model_fields, *(value.model_extra or {})]
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value) if field.compare]
    return None


def _pairs(items: Iterable[tuple[Any, Any]], nesting: _Nesting) -> list[str]:
    return sorted(_digest("pair", [_token(name, nesting), _token(each, nesting)]) for name, each in items)


def _object(value: Any, tag: str, nesting: _Nesting) -> str:
    """By what it would be pickled from. What is made with something that has no value has none either."""
    try:
        reduced = _reduced(value)
    except Exception as error:
        if nesting.object:
            raise _NoStableValue from error
        return f"of:{tag}"
    if isinstance(reduced, str):
        return f"name:{tag}:{reduced}"
    made, arguments, *rest = reduced
    state, items, pairs = [*rest, None, None, None][:3]
    inside = nesting._replace(object=True)
    try:
        parts = [_token(each, inside) for each in (made, arguments, state, list(items or ()))]
        return _digest(tag, [*parts, *_pairs(list(pairs or ()), inside)])
    except _NoStableValue:
        return f"of:{tag}"


def _reduced(value: Any) -> Any:
    reducer = copyreg.dispatch_table.get(type(value))
    return reducer(value) if reducer is not None else value.__reduce_ex__(4)


def _name(value: Any) -> str:
    name = getattr(value, "__qualname__", None) or value.__name__
    return f"{getattr(value, '__module__', '')}:{name}"


def _digest(tag: str, parts: Sequence[str]) -> str:
    """The digest of parts, whose boundaries are unambiguous whatever they contain."""
    digest = hashlib.sha256(tag.encode())
    for part in parts:
        written = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(written) + written)
    return digest.hexdigest()
