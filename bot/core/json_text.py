"""JSON as people read and write it: shown so that nothing is mistaken, and kept as it is typed. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from pydantic import JsonValue

_READS_AS_NO_TEXT = frozenset({"null", "none", "true", "false"})
_NO_TEXT_IN_SOME_NOTATION = _READS_AS_NO_TEXT | {"nothing", "yes", "no", "nan", "inf", "infinity"}
_NO_NAME = re.compile(r"[\r\n]|: ")
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


MAX_DEPTH = 100
"""Levels of lists and objects within each other that arguments may have."""


TOO_DEEP = f"More than {MAX_DEPTH} lists and objects are within each other."


class NotExact(ValueError):  # noqa: N818 - says what is wrong
    """What is typed would not be kept as it was typed, or can't be decided on."""


def value_text(value: JsonValue, *, text_only: bool = False) -> str:
    """A value as people read it: texts as they are, everything else as JSON. No two values look the same.

    A text stands in quotes where its ends couldn't be seen, or where it could be taken for another value.
    `text_only`: there is a text or null, as the schema says, so that `5` is a text without quotes.
    """
    if isinstance(value, str) and not _needs_quotes(value, text_only=text_only):
        return value
    if isinstance(value, dict | list) and value:
        return json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, ensure_ascii=False)


def name_text(name: str) -> str:
    """A name as people read it before its value: in quotes where it could look like another with one."""
    plain = name and name.strip() == name and name[0] != '"' and not _NO_NAME.search(name)
    return name if plain else json.dumps(name, ensure_ascii=False)


def named_values(values: Mapping[str, JsonValue]) -> str:
    """Values by name, in one text. One that could look like another name with its value stands in quotes."""
    starts = [f"{name_text(name)}: " for name in values]
    parts: list[str] = []
    for start, value in zip(starts, values.values(), strict=True):
        plain = isinstance(value, str) and not any(each in value for each in starts)
        parts.append(f"{start}{value if plain else json.dumps(value, ensure_ascii=False)}")
    return "; ".join(parts)


def _needs_quotes(text: str, *, text_only: bool) -> bool:
    if text.strip() != text or not text or text in _READS_AS_NO_TEXT:
        return True
    if text[0] == text[-1] == '"':  # It looks like another text in quotes.
        return True
    return not text_only and _reads_as_other_kind(text)


def _reads_as_other_kind(text: str) -> bool:
    """Whether a text looks like a number, a boolean, nothing, a list or an object."""
    if text.casefold() in _NO_TEXT_IN_SOME_NOTATION or _NUMBER.fullmatch(text):
        return True
    if (text[0], text[-1]) not in {("[", "]"), ("{", "}")}:
        return False
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def too_deep(value: object, levels: int = MAX_DEPTH) -> bool:
    """Whether lists and objects are within each other on more than so many levels, or endlessly."""
    level = _containers([value])
    for _ in range(levels):
        if not level:
            return False
        level = _containers(
            part for each in level for part in (each.values() if isinstance(each, dict) else each)
        )
    return bool(level)


def _containers(values: Iterable[object]) -> list[Any]:
    """The lists and objects among these, each once, however many refer to it."""
    return list({id(each): each for each in values if isinstance(each, dict | list | tuple)}.values())


def read_json(words: str) -> JsonValue:
    """The value that is typed. Raises NotExact, and ValueError for invalid JSON."""
    try:
        value: JsonValue = json.loads(
            words, parse_constant=_no_json, parse_float=_exact, object_pairs_hook=_named_once
        )
    except RecursionError:
        raise NotExact(TOO_DEEP) from None
    if too_deep(value):
        raise NotExact(TOO_DEEP)
    return value


def _no_json(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is no JSON")


def _exact(numeral: str) -> float:
    value = float(numeral)
    if not isfinite(value) or Decimal(numeral) != Decimal(repr(value)):
        raise NotExact("This number has more digits than can be kept exactly.")
    return value


def _named_once(pairs: list[tuple[str, JsonValue]]) -> JsonValue:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise NotExact("A name comes twice in an object.")
    return dict(pairs)
