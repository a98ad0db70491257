"""JSON as people read it, and as they type it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.core.json_text import NotKept, read_json, value_text

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Acme", "Acme"),
        ("12", "12"),
        ("a\nb", "a\nb"),
        ("Acme ", '"Acme "'),
        ("\n", '"\\n"'),
        ("", '""'),
        ("none", '"none"'),
        ("null", '"null"'),
        ("true", '"true"'),
        (None, "null"),
        (True, "true"),
        (12345678901234567891, "12345678901234567891"),
        (1.0, "1.0"),
        ([], "[]"),
        ({"a": ["é"]}, '{\n  "a": [\n    "é"\n  ]\n}'),
    ],
)
def test_a_value_is_shown_so_that_it_is_taken_for_no_other(value: JsonValue, text: str) -> None:
    assert value_text(value) == text


@given(VALUES)
def test_what_is_shown_as_json_is_typed_as_the_same(value: JsonValue) -> None:
    assert repr(read_json(json.dumps(value, indent=2))) == repr(value)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("1e400", False),
        ("1e-400", False),
        ("0.12345678901234567890", False),
        ("[9007199254740993.0]", False),
        ('{"to": "Acme", "to": "Eve"}', False),
        ("0.10", True),
        ("1e3", True),
        ('[{"to": 1}, {"to": 2}]', True),
    ],
)
def test_what_would_not_be_kept_is_refused(typed: str, kept: bool) -> None:  # noqa: FBT001
    if kept:
        assert read_json(typed) == json.loads(typed)
    else:
        with pytest.raises(NotKept):
            read_json(typed)


@pytest.mark.parametrize("typed", ["", "NaN", "-Infinity", "01", "{", "[" * 100_000])
def test_what_is_no_json_is_no_value(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_json(typed)
