"""Serializes the exceptions that steps failed with as JSON, and back as exceptions of the same type.

An exception is made again of its class, which is imported by its name, of its arguments and of those
attributes that can be written; its constructor is not called, and nothing is unpickled. What it was caused
by, and what holds connections (the `response` of a provider's client), is left out. Where the class can't be
imported or made any more, a class of the same name stands in, which is derived from the nearest of its bases
that can. Either says what the exception said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic_core import InitErrorDetails, ValidationError

from bot.core.ports.journal import FAILED
from bot.core.text import valid
from crews.journal.serialization import Unreadable, Unwritable, decode, encode, found, name_of, write


def write_error(error: Exception) -> dict[str, Any]:
    """The exception as JSON for `read_error`."""
    arguments, attributes = _parts(error)
    written = {
        FAILED: valid(words_of(error)),
        "name": type(error).__name__,
        "kinds": [name_of(kind) for kind in _kinds(error)],
        "exactly": _found(name_of(type(error))) is type(error),
        "arguments": [encode(each) for each in arguments],
        "attributes": dict(_writable(attributes)),
    }
    if isinstance(error, ValidationError):
        written["validation"] = {
            "title": valid(error.title),
            "lines": [_line(each) for each in error.errors()],
        }
    return written


def words_of(error: BaseException) -> str:
    """What an exception says; nothing if its author's code fails to say it."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an author's class may raise anything
        return ""


def says(error: BaseException, words: str) -> bool:
    """Whether an exception says this, and doesn't fail to say anything."""
    try:
        return str(error) == words
    except Exception:  # noqa: BLE001 - an author's class may raise anything
        return False


def first_line(error: BaseException) -> str:
    """The first line of what an exception says; its kind if it says nothing."""
    return next(iter(words_of(error).strip().splitlines()), type(error).__name__)


def read_error(written: Mapping[str, Any]) -> Exception:
    """The exception again. Never raises."""
    words, name = written[FAILED], written.get("name", "Exception")
    if "validation" in written and (refused := _refusal(written["validation"], words)) is not None:
        return refused
    exactly = written.get("exactly", False)
    for kind in map(_found, written.get("kinds", ())):
        error = _construct(kind, written) if exactly and kind is not None else None
        if error is not None and str(error) == words:
            return error
        exactly = False
        error = _stand_in(kind, name, written) if kind is not None else None
        if error is not None:
            return error
    return Exception(words)


def _stand_in(kind: type[Exception], name: str, written: Mapping[str, Any]) -> Exception | None:
    def words(_self: Exception) -> str:
        said: str = written[FAILED]
        return said

    try:
        derived = type(name, (kind,), {"__str__": words, "__module__": kind.__module__})
    except TypeError:  # Some classes can't be subclassed.
        return None
    return _construct(derived, written)


def _kinds(error: Exception) -> Iterator[type]:
    """The exception's class and its bases, the nearest first, as far as they can be imported."""
    for kind in type(error).__mro__:
        if _found(name_of(kind)) is kind:
            yield kind


def _found(name: str) -> type[Exception] | None:
    kind = found(name)
    return kind if isinstance(kind, type) and issubclass(kind, Exception) else None


def _parts(error: Exception) -> tuple[Sequence[Any], dict[str, Any]]:
    """Its arguments and attributes. Some of Python's own keep more than `args`, such as a file's name."""
    if hasattr(type(error).__reduce__, "__objclass__"):
        reduced: Any = error.__reduce__()
        _, arguments, state = (*reduced, None)[:3]
        return arguments, state or {}
    return error.args, vars(error)


def _writable(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in dict(attributes).items():
        with suppress(Unwritable):
            write(value)
            yield name, encode(value)


def _construct(kind: type[Exception], written: Mapping[str, Any]) -> Exception | None:
    """Without what its author's constructor would do; None if that is impossible."""
    base: Any = next(each for each in kind.__mro__ if each.__module__ == "builtins")
    try:
        arguments = [decode(each) for each in written["arguments"]]
        error: Exception = base.__new__(kind, *arguments)
        base.__init__(error, *arguments)
        for name, value in written["attributes"].items():
            with suppress(AttributeError):
                setattr(error, name, decode(value))
        str(error)
    except Exception:  # noqa: BLE001 - an author's class may raise anything
        return None
    return error


def _line(error: Mapping[str, Any]) -> dict[str, Any]:
    """What pydantic refuses about a value, in one line."""
    context = {
        name: str(each) if isinstance(each, Exception) else encode(each)
        for name, each in error.get("ctx", {}).items()
    }
    line = {"type": error["type"], "loc": list(error["loc"]), "input": encode(error["input"])}
    return line | ({"ctx": context} if context else {})


def _refusal(written: Mapping[str, Any], words: str) -> ValidationError | None:
    """Pydantic's own exception can't be derived from: it is made of what it lists, if that says the same."""
    try:
        lines = [_details(each) for each in written["lines"]]
        error = ValidationError.from_exception_data(written["title"], lines)
    except (Unreadable, TypeError, ValueError, KeyError):
        return None
    return error if str(error) == words else None


def _details(line: Mapping[str, Any]) -> InitErrorDetails:
    context = {
        name: ValueError(each) if name == "error" else decode(each)
        for name, each in line.get("ctx", {}).items()
    }
    details: InitErrorDetails = {
        "type": line["type"],
        "loc": tuple(line["loc"]),
        "input": decode(line["input"]),
    }
    if context:
        details["ctx"] = context
    return details
