"""Validation of a crew's inputs: given texts and JSON values become values of the declared types."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from math import isfinite

from pydantic import JsonValue

from bot.core.crew import Crew, InputField, InputKind
from bot.core.errors import InvalidInputs

_YES = frozenset({"true", "yes", "on", "1", "y"})
_NO = frozenset({"false", "no", "off", "0", "n"})


def gather(
    pieces: Iterable[tuple[str | None, str]], main_input: str | None, tidy: Callable[[str], str] = str
) -> dict[str, JsonValue]:
    """Collect typed inputs: `(name, value)` for each pair, `(None, word)` for each word of free text.

    Free text, processed by `tidy`, becomes the main input. Raises InvalidInputs for free text if there is no
    main input, and for an input that is given twice.
    """
    values: dict[str, JsonValue] = {}
    free: list[str] = []
    problems: dict[str, str] = {}
    for name, word in pieces:
        if name is None:
            free.append(word)
        elif name in values:
            problems[name] = "is given twice"
        else:
            values[name] = word
    if text := tidy(" ".join(free)):
        if main_input is None:
            problems["words"] = f"this crew takes no free text, so say what {text!r} is: name=value"
        elif main_input in values:
            problems[main_input] = "is given twice: by name, and as free text"
        else:
            values[main_input] = text
    if problems:
        raise InvalidInputs(problems)
    return values


def missing(crew: Crew, given: dict[str, JsonValue]) -> tuple[InputField, ...]:
    """The required inputs that have neither a value nor a default."""
    return tuple(f for f in crew.inputs if f.required and f.default is None and _blank(given.get(f.name)))


def validate(crew: Crew, given: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Validate the inputs, convert them to their types and add defaults.

    Raises InvalidInputs, which names each input that is unknown, missing or of the wrong type.
    """
    fields = {field.name: field for field in crew.inputs}
    problems = {name: _unknown(fields) for name in given if name not in fields}
    values: dict[str, JsonValue] = {}
    for name, field in fields.items():
        raw = given.get(name)
        if _blank(raw):
            raw = field.default
        if raw is None:
            if field.required:
                problems[name] = "is required"
            continue
        try:
            values[name] = parse(field, raw)
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise InvalidInputs(problems)
    return values


def parse(field: InputField, raw: JsonValue) -> JsonValue:
    """Convert one value to the field's type. Raises ValueError, which says what was expected."""
    match field.type:
        case InputKind.STRING | InputKind.TEXT:
            return _text(raw)
        case InputKind.INTEGER:
            return _integer(raw)
        case InputKind.NUMBER:
            return _number(raw)
        case InputKind.BOOLEAN:
            return _boolean(raw)
        case InputKind.CHOICE:
            return _choice(raw, field.choices)
        case InputKind.DATE:
            return _date(raw)


def _blank(raw: JsonValue) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip())


def _unknown(fields: dict[str, InputField]) -> str:
    known = ", ".join(fields) or "none"
    return f"is no input of this crew (it has: {known})"


def _text(raw: JsonValue) -> str:
    if isinstance(raw, str | int | float) and not isinstance(raw, bool):
        return str(raw)
    raise ValueError("must be text")


def _integer(raw: JsonValue) -> int:
    try:
        return int(_numeral(raw))
    except ValueError:
        raise ValueError(f"must be a whole number, not {raw!r}") from None


def _number(raw: JsonValue) -> int | float:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    try:
        value = raw if isinstance(raw, float) else float(_numeral(raw))
    except ValueError:
        raise ValueError(f"must be a number, not {raw!r}") from None
    if not isfinite(value):
        raise ValueError(f"must be a number, not {raw!r}")
    return value


def _numeral(raw: JsonValue) -> int | str:
    if isinstance(raw, str) or (isinstance(raw, int) and not isinstance(raw, bool)):
        return raw
    raise ValueError


def _boolean(raw: JsonValue) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().casefold()
    if word in _YES | _NO:
        return word in _YES
    raise ValueError(f"must be yes or no, not {raw!r}")


def _choice(raw: JsonValue, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if str(raw).strip().casefold() == choice.casefold():
            return choice
    raise ValueError(f"must be one of {', '.join(choices)}, not {raw!r}")


def _date(raw: JsonValue) -> str:
    try:
        return date.fromisoformat(str(raw).strip()).isoformat()
    except ValueError:
        raise ValueError(f"must be a date such as 2026-03-31, not {raw!r}") from None
