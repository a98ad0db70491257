"""Serializes what tools, models and methods return as JSON, and back; every step records its values so.

`write` is exact: what it can't tell so that the same comes back, it refuses. `encode` always finds something:
what can't be told exactly becomes its text, as models see it, and all of its texts are valid.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - they return anything
import base64
import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, cast
from uuid import UUID

import structlog
from pydantic import BaseModel

from bot.core.json_text import too_deep
from bot.core.text import valid, valid_json

log = structlog.get_logger(__name__)
T = TypeVar("T")
_PLAIN = (str, int, float, bool, type(None))
_AS_TEXT: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
    "bytes": (bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
}
"""Values that a text tells exactly, by the name under which it is written."""
_TEXTS = {kind: name for name, (kind, _, _) in _AS_TEXT.items()}


MAX_ENCODED_DEPTH = 200
"""Levels of lists and objects within each other that are surely encoded, wherever that is called."""
MAX_WRITTEN_DEPTH = 300
"""Levels of lists and objects in what is written. Python's own limit is no measure: the library for
conditions raises it, and another process has to read what is written."""
_MAX_INTEGER = 1 << 1024
"""Of whole numbers in decimals; Python refuses to read those of thousands of digits."""


class Unwritable(Exception):  # noqa: N818 - says what it is
    """The value can't be written as JSON without loss."""


class TooDeep(ValueError):  # noqa: N818 - says what it is
    """The value has more lists and objects within each other than can be handled; the message says whose."""


class Unreadable(Exception):  # noqa: N818 - says what it is
    """The value's class is missing or has changed."""


def write(value: Any, *, again: bool = False) -> Any:
    """`value` as JSON, from which `read` restores an equal value. Raises Unwritable.

    `again`: the JSON is encoded once more, which takes more levels.
    """
    try:
        written = _write(value, exact=True)
        if too_deep(written, MAX_ENCODED_DEPTH if again else MAX_WRITTEN_DEPTH):
            raise Unwritable(f"{type(value).__name__} is nested too deeply")
        same = _same(
            _write(read(written), exact=True), written
        )  # not with `value`, which other threads may change
    except Unreadable as error:
        raise Unwritable(str(error)) from error
    except RecursionError as error:
        raise Unwritable(f"{type(value).__name__} is nested too deeply") from error
    if not same:
        raise Unwritable(f"{type(value).__name__} would come back as something else")
    return written


def write_fields(model: BaseModel) -> Any:
    """A model's fields, for a model of the same class to be validated from what `read` gives."""
    return write({name: getattr(model, name) for name in _fields(model)})


def in_valid_text(value: T) -> T:
    """Arguments with valid text in all that is JSON of them; the very same, if theirs is."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        made: Any = valid_json(list(value) if isinstance(value, tuple) else value)  # type: ignore[arg-type]
        return cast("T", tuple(made) if isinstance(value, tuple) else made)
    except (TypeError, ValueError, RecursionError):  # Not JSON, or too deep to be used.
        return value
    return value


def encode(value: Any, expected: type[BaseModel] | None = None) -> Any:
    """`value` as JSON, exact where possible; `decode` returns what models and callers receive.

    A model of the class that the caller `expected` may be of one that can't be imported.
    """
    written = None
    try:
        if expected is not None and type(value) is expected:
            written = _write_expected(value, expected)
        if written is None:
            written = _write(value, exact=False)
    except RecursionError:
        return {"text": _text_of(value)}
    return {"text": _text_of(value)} if too_deep(written, MAX_WRITTEN_DEPTH) else written


def _text_of(value: Any) -> str:
    """The value as text; where its class fails to say it, or it is nested too deeply, only what it is."""
    try:
        return valid(str(value))
    except Exception:  # noqa: BLE001 - an author's class may raise anything
        return f"({type(value).__name__}, which can't be told as text)"


def _write_expected(value: BaseModel, expected: type[BaseModel]) -> Any:
    """A model of a class that can't be imported; None if it can, or if its fields don't make it again."""
    of = name_of(expected)
    if _class(of) is expected:
        return None
    fields = {name: _write(each, exact=False) for name, each in value.model_dump().items()}
    written = {"of": of, "model": fields}
    try:
        return written if decode(written, expected) == value else None
    except Unreadable:
        return None


def decode(written: Any, expected: type[BaseModel] | None = None) -> Any:
    """The value again; a model of the class that the caller `expected`, if it did. Raises Unreadable."""
    if expected is not None and isinstance(written, dict) and "model" in written:
        return _construct("model", expected, written["model"])
    return read(written)


def read(written: Any) -> Any:
    """The value again. Raises Unreadable."""
    if isinstance(written, list):
        return [read(each) for each in written]
    if not isinstance(written, dict):
        return written
    [(kind, content)] = [(name, each) for name, each in written.items() if name != "of"]
    plain = _READ.get(kind)
    return plain(content) if plain is not None else _construct(kind, _named(written["of"]), content)


def _read_dict(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: read(each) for name, each in content.items()}


_READ: dict[str, Callable[[Any], Any]] = {
    "dict": _read_dict,
    "pairs": lambda content: {read(name): read(each) for name, each in content},
    "tuple": lambda content: tuple(read(each) for each in content),
    "set": lambda content: {read(each) for each in content},
    "frozenset": lambda content: frozenset(read(each) for each in content),
    "text": str,
    "int": lambda content: int(content, 16),
    **{name: reader for name, (_, _, reader) in _AS_TEXT.items()},
}
"""How what is of no author's class is read, by what it is written as."""


def found(of: str) -> Any:
    """The object named `<module>:<qualified name>`, or None."""
    module, _, path = of.partition(":")
    try:
        thing: Any = importlib.import_module(module)
        for part in path.split("."):
            thing = getattr(thing, part)
    except (ImportError, AttributeError, ValueError):
        return None
    return thing


def name_of(kind: type) -> str:
    """The name of a class for `found`."""
    return f"{kind.__module__}:{kind.__qualname__}"


def _construct(kind: str, of: Any, content: Any) -> Any:
    try:
        match kind:
            case "enum":
                return of(read(content))
            case "model":
                return of.model_validate(_read_dict(content), by_alias=True, by_name=True)
            case _:
                return of(**_read_dict(content))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise Unreadable(f"{of.__name__} has changed") from error


def _write(value: Any, *, exact: bool) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return _write_plain(value, exact=exact)
    if kind in _TEXTS:
        name = _TEXTS[kind]
        return {name: _AS_TEXT[name][1](value)}
    if kind is dict:
        return _write_dict(value, exact=exact)
    if kind is list or kind is tuple or kind in (set, frozenset):
        parts = [_write(each, exact=exact) for each in tuple(value)]
        return (
            parts
            if kind is list
            else {kind.__name__: parts if kind is tuple else sorted(parts, key=json.dumps)}
        )
    if exact:
        return _write_of_class(value, exact=True)
    return _write_lossy(value)


def _write_plain(value: Any, *, exact: bool) -> Any:
    if type(value) is int and abs(value) > _MAX_INTEGER:
        return {"int": hex(value)}
    return valid(value) if type(value) is str and not exact else value


def _write_dict(value: Mapping[Any, Any], *, exact: bool) -> dict[str, Any]:
    # Another thread may change a flow's state meanwhile; the copy is made in one step.
    items = list(value.items())
    if all(type(name) is str for name, _ in items):
        return {"dict": {name if exact else valid(name): _write(each, exact=exact) for name, each in items}}
    return {"pairs": [[_write(name, exact=exact), _write(each, exact=exact)] for name, each in items]}


def _write_of_class(value: Any, *, exact: bool) -> Any:
    of = name_of(type(value))
    if _class(of) is not type(value):
        raise Unwritable(f"{type(value).__name__} can't be imported by its name")
    if isinstance(value, Enum):
        return {"of": of, "enum": _write(value.value, exact=exact)}
    if isinstance(value, BaseModel):
        fields, names = "model", _fields(value)
    else:
        fields, names = "dataclass", [field.name for field in dataclasses.fields(value) if field.init]
    return {"of": of, fields: {name: _write(getattr(value, name), exact=exact) for name in names}}


def _write_lossy(value: Any) -> Any:
    """The value exactly, or as its plain base type, or as text."""
    try:
        written = _write_of_class(value, exact=False)
        if _same(_write_of_class(read(written), exact=False), written):
            return written
    except (Unwritable, Unreadable):
        log.debug("a value can't be serialized, and is recorded as text", kind=name_of(type(value)))
    if isinstance(value, Mapping):
        return _write_dict(value, exact=False)
    if isinstance(value, list | tuple):
        return [_write(each, exact=False) for each in value]
    for plain in (str, int, float):
        if isinstance(value, plain) and not isinstance(value, Enum):
            return _write(plain(value), exact=False)
    return {"text": _text_of(value)}


def _same(one: Any, other: Any) -> bool:
    """As JSON, in which NaN is the same as itself."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _fields(model: BaseModel) -> list[str]:
    return [*type(model).model_fields, *(model.model_extra or {})]


def _named(of: str) -> Any:
    kind = _class(of)
    if kind is None:
        raise Unreadable(f"{of} is not installed any more")
    return kind


def _class(of: str) -> Any:
    """A class whose values can be written."""
    kind = found(of)
    writable = isinstance(kind, type) and (
        issubclass(kind, BaseModel | Enum) or dataclasses.is_dataclass(kind)
    )
    return kind if writable else None
