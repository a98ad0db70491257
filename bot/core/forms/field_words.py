"""What people write into a field, as a JSON value: numbers, dates and times in their locale. Linear time.

What has two meanings is refused, with both of them as they would be written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from math import isfinite

from pydantic import JsonValue

from bot.core.forms.field_values import must_be, shown
from bot.core.forms.fields import Field, FieldType
from bot.core.labels import label_key
from bot.core.locales import Locale, in_zone

MAX_NUMERAL = 60
"""Characters of a number."""
_YES = frozenset({"true", "yes", "on", "1", "y"})
_NO = frozenset({"false", "no", "off", "0", "n"})
_WHOLE = re.compile(r"-?\d+", re.ASCII)
_DECIMAL = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_THOUSANDS = re.compile(r"(-?\d{1,3})([.,])(\d{3})", re.ASCII)
"""What may be a decimal or a group of thousands."""
_SPACED = r"-?\d{1,3}(?:[ '\u2019\u00a0\u202f]\d{3})+"
_POINTS = re.compile(r"(\d\d?)\. ?(\d\d?)\. ?(\d{4})", re.ASCII)
_SLASHES = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})", re.ASCII)
_CLOCK = re.compile(r"(\d\d?)(?::(\d\d)(?::(\d\d))?)? ?(am|pm|a\.m\.|p\.m\.)?", re.ASCII)
_MOMENT = re.compile(
    r"([\d./-]{6,10})(?:T| |, )(\d\d?:\d\d(?::\d\d)?)(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


def read_words(field: Field, raw: JsonValue, locale: Locale) -> JsonValue:
    """A text of a person as a JSON value of the field's type. Raises ValueError, which says what to write.

    What isn't a text is returned as it is, for `check_value`.
    """
    if field.type in {FieldType.STRING, FieldType.TEXT}:
        return str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    if field.type is FieldType.MULTI_CHOICE:
        return _read_choices(field, raw)
    if field.type in {FieldType.BOOLEAN, FieldType.CHOICE} and isinstance(raw, int | float):
        raw = raw if isinstance(raw, bool) and field.type is FieldType.BOOLEAN else str(raw).lower()
    if not isinstance(raw, str):
        return raw
    return _READERS[field.type](field, raw.strip(), locale)


def _read_number(field: Field, words: str, locale: Locale) -> int | float:
    numeral = _numeral(field, words, locale)
    if _WHOLE.fullmatch(numeral):
        return int(numeral)
    if field.type is FieldType.INTEGER:
        raise must_be(field, words)
    value = float(numeral)
    if not isfinite(value):
        raise must_be(field, words)
    if Decimal(numeral) != Decimal(repr(value)):
        raise ValueError(f"has more digits than can be kept exactly: {shown(words)}")
    return value


def _numeral(field: Field, words: str, locale: Locale) -> str:
    """The number with a decimal point and without groups of thousands."""
    point, group = (",", ".") if locale.decimal_comma else (".", ",")
    text = words.replace("\u2212", "-").removeprefix("+")
    if len(text) > MAX_NUMERAL:
        raise must_be(field, words)
    _check_thousands(text, point)
    pattern = rf"({_SPACED}|-?\d{{1,3}}(?:{re.escape(group)}\d{{3}})+)(?:{re.escape(point)}(\d+))?"
    if found := re.fullmatch(pattern, text, re.ASCII):
        whole = re.sub(r"[^\d-]", "", found[1])
        return f"{whole}.{found[2]}" if found[2] else whole
    if locale.decimal_comma:
        text = text.replace(",", ".", 1)
    if not _DECIMAL.fullmatch(text):
        raise must_be(field, words)
    return text


def _check_thousands(text: str, point: str) -> None:
    """Raises ValueError where a group of thousands might be meant, or decimals: 1,500."""
    found = _THOUSANDS.fullmatch(text)
    if not found or found[1].lstrip("-") == "0" or (found[2] == point == "."):
        return
    decimals = found[3].rstrip("0") or "0"
    decimals += "0" if len(decimals) == len(found[3]) else ""
    raise ValueError(f"may be {found[1]}{found[3]} or {found[1]}{point}{decimals}: write it as one of them")


def _read_boolean(field: Field, words: str, _: Locale) -> JsonValue:
    word = words.casefold()
    if word in _YES | _NO:
        return word in _YES
    raise must_be(field, words)


def _read_choice(field: Field, words: str, _: Locale) -> str:
    if words in field.choices:
        return words
    key = label_key(words)
    return next((each for each in field.choices if label_key(each) == key), words)


def _read_choices(field: Field, raw: JsonValue) -> JsonValue:
    """A list, or a text that separates the choices by commas, semicolons or line ends."""
    if isinstance(raw, str):
        whole = _read_choice(field, raw.strip(), Locale())
        return [whole] if whole in field.choices else _each_choice(field, re.split(r"[,;\n]", raw))
    if isinstance(raw, list) and all(isinstance(each, str) for each in raw):
        return _each_choice(field, [str(each) for each in raw])
    return raw


def _each_choice(field: Field, pieces: list[str]) -> list[JsonValue]:
    read = (_read_choice(field, each.strip(), Locale()) for each in pieces if each.strip())
    return [*dict.fromkeys(read)]


def _read_date(field: Field, words: str, locale: Locale) -> str:
    if (found := _POINTS.fullmatch(words)) and locale.day_first_with_points:
        return _made_date(field, words, found[3], found[2], found[1])
    if found := _SLASHES.fullmatch(words):
        return _read_slashes(field, words, found)
    return words


def _made_date(field: Field, words: str, year: str, month: str, day: str) -> str:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        raise must_be(field, words) from None


def _read_slashes(field: Field, words: str, found: re.Match[str]) -> str:
    """A date with slashes counts only if its day can't be its month."""
    one, other, year = found.groups()
    readings = set()
    for month, day in ((one, other), (other, one)):
        try:
            readings.add(date(int(year), int(month), int(day)).isoformat())
        except ValueError:
            continue
    if len(readings) == 1:
        return readings.pop()
    if readings:
        first, second = sorted(readings)
        raise ValueError(f"may be {first} or {second}: write it as one of them")
    raise must_be(field, words)


def _read_time(field: Field, words: str, _: Locale) -> str:
    found = _CLOCK.fullmatch(words.lower())
    if not found or not (found[2] or found[4]):
        return words
    hour, half = int(found[1]), found[4]
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - hours on a clock's face
            raise must_be(field, words)
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    return f"{hour:02}:{found[2] or '00'}" + (f":{found[3]}" if found[3] else "")


def _read_datetime(field: Field, words: str, locale: Locale) -> str:
    """A date and a time, in the person's time zone unless it has an offset."""
    found = _MOMENT.fullmatch(words)
    if not found:
        raise must_be(field, words)
    hour, _, rest = found[2].partition(":")
    clock = f"{hour:0>2}:{rest}" if ":" in rest else f"{hour:0>2}:{rest}:00"
    day = _read_date(field, found[1], locale)
    if found[4]:
        return f"{day}T{clock}{found[3] or ''}{found[4]}"
    if locale.zone is None:
        raise ValueError(f"needs an offset from UTC, such as {day}T{clock}+02:00")
    try:
        naive = datetime.fromisoformat(f"{day}T{clock}{found[3] or ''}")
    except ValueError:
        raise must_be(field, words) from None
    return in_zone(naive, locale.zone).isoformat()


def _as_written(_: Field, words: str, __: Locale) -> str:
    return words


_READERS: dict[FieldType, Callable[[Field, str, Locale], JsonValue]] = {
    FieldType.INTEGER: _read_number,
    FieldType.NUMBER: _read_number,
    FieldType.BOOLEAN: _read_boolean,
    FieldType.CHOICE: _read_choice,
    FieldType.DATE: _read_date,
    FieldType.TIME: _read_time,
    FieldType.DATETIME: _read_datetime,
    FieldType.EMAIL: _as_written,
    FieldType.URL: _as_written,
    FieldType.FILE: _as_written,
}
