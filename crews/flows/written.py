"""What a flow's methods return, and its state, as JSON that gives back the same again, or not at all.

Stricter than `crews/values.py`, where a text will do: a method that gets something else than before goes
another way.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - methods return anything
import dataclasses
import importlib
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

_PLAIN = (str, int, float, bool, type(None))
_MOMENTS: dict[str, type[date]] = {"datetime": datetime, "date": date}


class Unwritable(Exception):  # noqa: N818 - says what it is
    """This can't be told in JSON so that the same comes back."""


class Unreadable(Exception):  # noqa: N818 - says what it is
    """What was written is of a class that isn't there any more, or has changed."""


def write(value: Any) -> Any:
    """`value` as JSON that `read` makes the same of. Raises Unwritable."""
    written = _write(value)
    try:
        same = _write(read(written)) == written  # not with `value`, which others may be changing
    except Unreadable as error:
        raise Unwritable(str(error)) from error
    if not same:
        raise Unwritable(f"{type(value).__name__} would come back as something else")
    return written


def write_fields(model: BaseModel) -> Any:
    """A model's fields, for a model of the same class to be validated from what `read` gives."""
    return write({name: getattr(model, name) for name in _fields(model)})


def read(written: Any) -> Any:
    """The value again. Raises Unreadable."""
    if isinstance(written, list):
        return [read(each) for each in written]
    if not isinstance(written, dict):
        return written
    [(kind, content)] = [(name, each) for name, each in written.items() if name != "of"]
    match kind:
        case "dict":
            return {name: read(each) for name, each in content.items()}
        case "tuple":
            return tuple(read(each) for each in content)
        case "datetime" | "date":
            return _MOMENTS[kind].fromisoformat(content)
    return _made(kind, _named(written["of"]), content)


def _made(kind: str, of: Any, content: Any) -> Any:
    try:
        match kind:
            case "enum":
                return of(content)
            case "model":
                return of.model_validate({name: read(each) for name, each in content.items()})
            case _:
                return of(**{name: read(each) for name, each in content.items()})
    except (TypeError, ValueError) as error:
        raise Unreadable(f"{of.__name__} has changed: {error}") from error


def _write(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if type(value) is list:
        return [_write(each) for each in value]
    if type(value) is tuple:
        return {"tuple": [_write(each) for each in value]}
    if type(value) is dict and all(type(name) is str for name in value):
        return {"dict": _each(value)}
    if type(value) in _MOMENTS.values():
        return {type(value).__name__: value.isoformat()}
    return _write_of_class(value)


def _write_of_class(value: Any) -> Any:
    of = f"{type(value).__module__}:{type(value).__qualname__}"
    if _found(of) is not type(value):
        raise Unwritable(f"{type(value).__name__} can't be imported by its name")
    if isinstance(value, Enum):
        return {"of": of, "enum": _write(value.value)}
    if isinstance(value, BaseModel):
        return {"of": of, "model": _each({name: getattr(value, name) for name in _fields(value)})}
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {"of": of, "dataclass": _each({name: getattr(value, name) for name in fields})}
    raise Unwritable(f"{type(value).__name__} is none of the kinds that can be written")


def _fields(model: BaseModel) -> list[str]:
    return [*type(model).model_fields, *(model.model_extra or {})]


def _each(values: Mapping[str, Any]) -> dict[str, Any]:
    # Another thread may be at work on a flow's state; a copy is made in one go.
    return {name: _write(each) for name, each in dict(values).items()}


def _named(of: str) -> Any:
    found = _found(of)
    if found is None:
        raise Unreadable(f"{of} is not installed any more")
    return found


def _found(of: str) -> Any:
    module, _, path = of.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    writable = isinstance(found, type) and (
        issubclass(found, BaseModel | Enum) or dataclasses.is_dataclass(found)
    )
    return found if writable else None
