"""JSON as people read and write it: shown so that nothing is mistaken, and kept as it is typed. Pure."""

from __future__ import annotations

import json
from decimal import Decimal
from math import isfinite

from pydantic import JsonValue

_READS_AS_NO_TEXT = frozenset({"null", "none", "true", "false"})


class NotKept(ValueError):  # noqa: N818 - says what is wrong
    """What is typed would not be kept as it was typed."""


def value_text(value: JsonValue) -> str:
    """A value as people read it: texts as they are, everything else as JSON.

    A text stands in quotes where its ends couldn't be seen, or where it could be taken for another value.
    """
    if isinstance(value, str) and value and value.strip() == value and value not in _READS_AS_NO_TEXT:
        return value
    if isinstance(value, dict | list) and value:
        return json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, ensure_ascii=False)


def read_json(words: str) -> JsonValue:
    """The value that is typed. Raises NotKept, and ValueError for what is no JSON."""
    try:
        value: JsonValue = json.loads(
            words, parse_constant=_no_json, parse_float=_exact, object_pairs_hook=_named_once
        )
    except RecursionError:
        raise ValueError("too many lists and objects within each other") from None
    return value


def _no_json(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is no JSON")


def _exact(numeral: str) -> float:
    value = float(numeral)
    if not isfinite(value) or Decimal(numeral) != Decimal(repr(value)):
        raise NotKept("This number has more digits than can be kept exactly.")
    return value


def _named_once(pairs: list[tuple[str, JsonValue]]) -> JsonValue:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise NotKept("A name comes twice in an object.")
    return dict(pairs)
