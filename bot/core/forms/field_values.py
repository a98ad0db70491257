"""The check of a field's JSON value: its type and its bounds. Pure, in linear time.

What people write is read by `bot.core.forms.field_words` first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from math import isfinite
from typing import Any, TypeVar

from pydantic import JsonValue

from bot.core.forms.fields import Field, FieldType
from bot.core.text import drop_invisible, valid, visible

_Moment = TypeVar("_Moment", date, time, datetime)
MAX_TEXT = 100_000
"""Characters of a text, where the field says nothing."""
MAX_INTEGER = 2**53 - 1
"""Programs in other languages, a browser's included, read greater numbers as other ones."""
MAX_EMAIL = 254
MAX_URL = 2000
MAX_PORT = 65_535
_QUOTED = 60
"""Characters of a wrong value that its error repeats."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LABEL = r"[^\W_](?:[^\W_]|-){0,62}"
_EMAIL = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+")
_URL = re.compile(r"https?://([^\s/?#@\\]+)([/?#][^\s\\]*)?", re.IGNORECASE)
_UPLOAD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\W_](?:[^\W_]|[.-])*)(:\d{1,5})?")
_TEXTS = frozenset({FieldType.STRING, FieldType.TEXT, FieldType.EMAIL, FieldType.URL})

NO_UPLOAD = (
    "is a file: upload it in the form or in the console, over the API (POST /files), or with "
    "`crewdeck start CREW name=@path`"
)
EXPECTED = {
    FieldType.STRING: "text",
    FieldType.TEXT: "text",
    FieldType.INTEGER: "a whole number",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "yes or no",
    FieldType.DATE: "a date such as 2026-03-31",
    FieldType.TIME: "a time such as 09:30",
    FieldType.DATETIME: "a date and time such as 2026-03-31T09:30:00+02:00",
    FieldType.EMAIL: "an email address such as ada@example.com",
    FieldType.URL: "a web address such as https://example.com/page",
}


def check_value(field: Field, value: JsonValue) -> JsonValue:
    """A JSON value of the field's type and within its bounds. Raises ValueError, which says what is wrong."""
    checked = _CHECKS[field.type](field, value)
    _check_bounds(field, checked)
    return checked


def shown(value: JsonValue) -> str:
    """A wrong value as its error repeats it."""
    text = visible(repr(value)[: _QUOTED + 1])
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"


def must_be(field: Field, value: JsonValue) -> ValueError:
    """The error of a value that isn't of the field's type."""
    return ValueError(f"must be {EXPECTED[field.type]}, not {shown(value)}")


# ── JSON values ─────────────────────────────────────────────────────────────────────────────────────────────


def _text(_: Field, value: JsonValue) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - the caller collects ValueErrors
    return valid(value)


def _integer(field: Field, value: JsonValue) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise must_be(field, value)
    if abs(value) > MAX_INTEGER:
        raise ValueError(f"has more digits than can be kept exactly: {shown(value)}")
    return value


def _number(field: Field, value: JsonValue) -> int | float:
    if isinstance(value, int):
        return _integer(field, value)
    if not isinstance(value, float) or not isfinite(value):
        raise must_be(field, value)
    return value


def _boolean(field: Field, value: JsonValue) -> bool:
    if not isinstance(value, bool):
        raise must_be(field, value)
    return value


def _choice(field: Field, value: JsonValue) -> str:
    if isinstance(value, str) and value in field.choices:
        return value
    raise ValueError(f"must be one of {_listed(field.choices)}, not {shown(value)}")


def _multi_choice(field: Field, value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list of {_listed(field.choices)}, not {shown(value)}")  # noqa: TRY004
    chosen = [_choice(field, each) for each in value]
    if len(set(chosen)) < len(chosen):
        raise ValueError("must name each choice once")
    return [each for each in field.choices if each in chosen]


def _listed(choices: Sequence[str]) -> str:
    text = ", ".join(choices)
    return text if len(text) <= 10 * _QUOTED else f"{text[: 10 * _QUOTED]}…"


def _date(field: Field, value: JsonValue) -> str:
    return _iso(field, value, _DATE, date).isoformat()


def _time(field: Field, value: JsonValue) -> str:
    found = _iso(field, value, _TIME, time)
    return found.isoformat(timespec="seconds" if found.second else "minutes")


def _datetime(field: Field, value: JsonValue) -> str:
    return _iso(field, value, _DATETIME, datetime).isoformat().replace("+00:00", "Z")


def _iso(field: Field, value: JsonValue, form: re.Pattern[str], kind: type[_Moment]) -> _Moment:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise must_be(field, value)
    try:
        return kind.fromisoformat(value)
    except ValueError:
        raise must_be(field, value) from None


def _email(field: Field, value: JsonValue) -> str:
    if isinstance(value, str) and len(value) <= MAX_EMAIL and drop_invisible(value) == value:
        local, _, _ = value.partition("@")
        found = _EMAIL.fullmatch(value)
        if found and ".." not in local and not local.startswith(".") and not local.endswith("."):
            return value
    raise must_be(field, value)


def _url(field: Field, value: JsonValue) -> str:
    if not isinstance(value, str) or len(value) > MAX_URL or drop_invisible(value) != value:
        raise must_be(field, value)
    if "@" in re.split(r"[/?#]", value.partition("://")[2], maxsplit=1)[0]:
        raise ValueError("must be a web address without a user name or password in it")
    found = _URL.fullmatch(value)
    host = _HOST.fullmatch(found[1]) if found else None
    if not host or int((host[2] or ":0")[1:]) > MAX_PORT:
        raise must_be(field, value)
    return value


def _file(_: Field, value: JsonValue) -> str:
    if not isinstance(value, str) or not _UPLOAD.fullmatch(value):
        raise ValueError(NO_UPLOAD)
    return value.lower()


_CHECKS: dict[FieldType, Callable[[Field, JsonValue], JsonValue]] = {
    FieldType.STRING: _text,
    FieldType.TEXT: _text,
    FieldType.INTEGER: _integer,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.CHOICE: _choice,
    FieldType.MULTI_CHOICE: _multi_choice,
    FieldType.DATE: _date,
    FieldType.TIME: _time,
    FieldType.DATETIME: _datetime,
    FieldType.EMAIL: _email,
    FieldType.URL: _url,
    FieldType.FILE: _file,
}


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────


def check_bounds_of(field: Field) -> None:
    """Check the bounds that a field declares. Raises ValueError, which names the wrong one."""
    for name, bound in (("min", field.min), ("max", field.max)):
        if bound is None:
            continue
        if field.type not in _ORDERED:
            raise ValueError(f"`{name}` belongs to numbers, dates and times; a text has `{name}_length`")
        try:
            _CHECKS[field.type](field, bound)
        except ValueError as error:
            raise ValueError(f"its `{name}` {error}") from None
    if (
        field.min is not None
        and field.max is not None
        and _order(field, field.min) > _order(field, field.max)
    ):
        raise ValueError("its `min` is greater than its `max`")
    _check_lengths_of(field)


def _check_lengths_of(field: Field) -> None:
    for name, length in (("min_length", field.min_length), ("max_length", field.max_length)):
        if length is None:
            continue
        if field.type not in _TEXTS and field.type is not FieldType.MULTI_CHOICE:
            raise ValueError(f"`{name}` belongs to texts and to `type: multi_choice`")
        if length < (name == "max_length"):
            raise ValueError(f"its `{name}` is too small")
    least, most = field.min_length or 0, field.max_length
    if most is not None and least > most:
        raise ValueError("its `min_length` is greater than its `max_length`")
    if least > (len(field.choices) if field.type is FieldType.MULTI_CHOICE else MAX_TEXT):
        raise ValueError("its `min_length` can't be reached")


def _check_bounds(field: Field, value: JsonValue) -> None:
    if field.type in _ORDERED:
        _check_order(field, value)
    elif field.type is FieldType.MULTI_CHOICE and isinstance(value, list):
        _check_length(field, len(value), "choice")
    elif isinstance(value, str) and field.type in _TEXTS:
        _check_length(field, len(value), "character")


def _check_order(field: Field, value: JsonValue) -> None:
    low, high = _ORDERED[field.type]
    if field.min is not None and _order(field, value) < _order(field, field.min):
        raise ValueError(low.format(field.min))
    if field.max is not None and _order(field, value) > _order(field, field.max):
        raise ValueError(high.format(field.max))


def _check_length(field: Field, length: int, unit: str) -> None:
    most = field.max_length if field.max_length is not None else MAX_TEXT
    if field.min_length is not None and length < field.min_length:
        raise ValueError(f"must have at least {_counted(field.min_length, unit)}, not {length}")
    if length > most:
        raise ValueError(f"must have at most {_counted(most, unit)}, not {length}")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _order(field: Field, value: JsonValue) -> Any:  # noqa: ANN401 - numbers, dates or times: of one field, all the same
    """What values of this field are compared by."""
    match field.type:
        case FieldType.DATE:
            return date.fromisoformat(str(value))
        case FieldType.TIME:
            return time.fromisoformat(str(value))
        case FieldType.DATETIME:
            return datetime.fromisoformat(str(value))
        case _:
            return value


_ORDERED = {
    FieldType.INTEGER: ("must be at least {}", "must be at most {}"),
    FieldType.NUMBER: ("must be at least {}", "must be at most {}"),
    FieldType.DATE: ("must be {} or later", "must be {} or earlier"),
    FieldType.TIME: ("must be {} or later", "must be {} or earlier"),
    FieldType.DATETIME: ("must be {} or later", "must be {} or earlier"),
}
