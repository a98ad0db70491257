"""JSON as people read it, and as they type it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.core.json_text import NotExact, name_text, named_values, read_json, value_text

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@pytest.mark.parametrize("levels", [101, 5000])
def test_what_is_nested_too_deeply_is_not_taken(levels: int) -> None:
    assert read_json("[" * 100 + "]" * 100)
    with pytest.raises(NotExact, match="More than 100 lists and objects"):
        read_json("[" * levels + "]" * levels)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Acme", "Acme"),
        ("5", '"5"'),
        ("-12", '"-12"'),
        ("1.0", '"1.0"'),
        ("1e5", '"1e5"'),
        ("+5", '"+5"'),
        (".5", '".5"'),
        ("1_000", '"1_000"'),
        ("٥", '"٥"'),
        ("True", '"True"'),
        ("None", '"None"'),
        ("NaN", '"NaN"'),
        ("Yes", '"Yes"'),
        ("[1]", '"[1]"'),
        ('{"a": 1}', '"{\\"a\\": 1}"'),
        ("[\n  1\n]", '"[\\n  1\\n]"'),
        ('"5"', '"\\"5\\""'),
        ('"', '"\\""'),
        ("5 EUR", "5 EUR"),
        ("2026-11-30", "2026-11-30"),
        ("1.2.3", "1.2.3"),
        ("[draft] Hello", "[draft] Hello"),
        ('say "no"', 'say "no"'),
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


TEXTS = st.text("0123456789+-.eE_[]{}\"':, \n", max_size=6) | st.sampled_from(
    ["null", "none", "None", "true", "NaN", "Infinity"]
)


@given(VALUES | TEXTS | VALUES.map(value_text), VALUES)
def test_a_text_never_looks_like_another_value(one: JsonValue, other: JsonValue) -> None:
    """Also not like the way in which that is shown."""
    for value in (other, value_text(other), value_text(value_text(other))):
        assert repr(one) == repr(value) or value_text(one) != value_text(value)


@pytest.mark.parametrize("text", ["5", "1.0", "[1]", "Yes", "NaN", "5 EUR"])
def test_where_only_texts_are_taken_a_text_needs_no_quotes(text: str) -> None:
    assert value_text(text, text_only=True) == text


@given(TEXTS | TEXTS.map(value_text), TEXTS)
def test_where_only_texts_are_taken_no_two_look_the_same(one: str, other: str) -> None:
    for text in (other, value_text(other, text_only=True)):
        assert one == text or value_text(one, text_only=True) != value_text(text, text_only=True)


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
        with pytest.raises(NotExact):
            read_json(typed)


@pytest.mark.parametrize("typed", ["", "NaN", "-Infinity", "01", "{", "[" * 100_000])
def test_what_is_no_json_is_no_value(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_json(typed)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("amount", "amount"),
        ("to whom", "to whom"),
        ("a:b", "a:b"),
        ("amount: 1", '"amount: 1"'),
        ("", '""'),
        (" to", '" to"'),
        ('"to"', '"\\"to\\""'),
        ("a\nb", '"a\\nb"'),
    ],
)
def test_a_name_never_looks_like_one_with_a_value(name: str, text: str) -> None:
    assert name_text(name) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"note": "two\nlines; fine", "amount": 5}, "note: two\nlines; fine; amount: 5"),
        ({"note": "x; amount: 900", "amount": 5}, 'note: "x; amount: 900"; amount: 5'),
        ({"note": "amount: 900"}, "note: amount: 900"),
        ({"note": "note: 1"}, 'note: "note: 1"'),
        ({"urgent": True, "tags": ["a"], "by": None}, 'urgent: true; tags: ["a"]; by: null'),
    ],
)
def test_of_values_in_one_text_none_looks_like_another_ones(values: dict[str, JsonValue], text: str) -> None:
    assert named_values(values) == text
