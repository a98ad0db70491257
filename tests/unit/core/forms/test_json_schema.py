"""Forms as JSON Schema: what the schema takes is what `validate` takes, and it can be read back."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from bot.core.errors import InvalidValues
from bot.core.forms.fields import Field, FieldType
from bot.core.forms.json_schema import json_schema
from bot.core.forms.models import fields_of_model
from bot.core.forms.validation import check_form, validate
from tests.examples import examples

ASKED = [kind for kind in FieldType if kind is not FieldType.FILE]
"""What a question can ask for."""
EVERY_TYPE = (
    Field(name="topic", label="What about?", required=True, description="In a word", max_length=80),
    Field(name="note", type=FieldType.TEXT, default="none"),
    Field(name="pages", type=FieldType.INTEGER, min=1, max=9, default=3),
    Field(name="share", type=FieldType.NUMBER, min=0, max=1.5),
    Field(name="urgent", type=FieldType.BOOLEAN, required=True, default=False),
    Field(name="tone", type=FieldType.CHOICE, choices=("plain", "playful"), required=True),
    Field(name="tags", type=FieldType.MULTI_CHOICE, choices=("a", "b"), min_length=1, default=("b",)),
    Field(name="day", type=FieldType.DATE, min="2026-01-01"),
    Field(name="at", type=FieldType.TIME, max="18:00"),
    Field(name="moment", type=FieldType.DATETIME),
    Field(name="mail", type=FieldType.EMAIL, required=True),
    Field(name="page", type=FieldType.URL),
)


def read(schema: dict[str, Any]) -> tuple[Field, ...]:
    """The form of a model whose JSON Schema is this one."""

    class Model(BaseModel):
        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            return schema

    return fields_of_model(Model)


def test_a_form_as_elicitation_has_it() -> None:
    schema = json_schema(EVERY_TYPE)
    assert schema["required"] == ["topic", "urgent", "tone", "mail"]
    assert schema["properties"] == {
        "topic": {
            "type": "string", "title": "What about?", "description": "In a word", "minLength": 1,
            "maxLength": 80,
        },
        "note": {"type": "string", "title": "Note", "contentMediaType": "text/plain", "default": "none"},
        "pages": {"type": "integer", "title": "Pages", "minimum": 1, "maximum": 9, "default": 3},
        "share": {"type": "number", "title": "Share", "minimum": 0, "maximum": 1.5},
        "urgent": {"type": "boolean", "title": "Urgent", "default": False},
        "tone": {"type": "string", "title": "Tone", "enum": ["plain", "playful"]},
        "tags": {
            "type": "array", "title": "Tags", "items": {"type": "string", "enum": ["a", "b"]},
            "uniqueItems": True, "minItems": 1, "default": ["b"],
        },
        "day": {"type": "string", "title": "Day", "format": "date", "formatMinimum": "2026-01-01"},
        "at": {
            "type": "string", "title": "At", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$",
            "formatMaximum": "18:00",
        },
        "moment": {"type": "string", "title": "Moment", "format": "date-time"},
        "mail": {"type": "string", "title": "Mail", "format": "email"},
        "page": {"type": "string", "title": "Page", "format": "uri"},
    }  # fmt: skip
    jsonschema_rs.meta.validate(schema)


def test_every_type_can_be_read_back() -> None:
    assert {field.type for field in EVERY_TYPE} == set(ASKED)
    expected = {field.name: field for field in EVERY_TYPE}
    # In JSON Schema a required text is one of at least one character.
    expected["topic"] = expected["topic"].model_copy(update={"min_length": 1})
    # Who empties a field must not get its default unseen.
    for name in ("note", "pages", "tags"):
        expected[name] = expected[name].model_copy(update={"required": True})
    assert read(json_schema(EVERY_TYPE)) == tuple(expected.values())


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = st.integers(-50, 50)
TEXTS = st.text("ab é😀", max_size=6)
DAYS = st.dates().map(str)


@st.composite
def one_field(draw: st.DrawFn) -> Field:
    kind = draw(st.sampled_from(ASKED))
    made: dict[str, Any] = {"name": "it", "type": kind, "required": draw(st.booleans())}
    if kind in {FieldType.CHOICE, FieldType.MULTI_CHOICE}:
        made["choices"] = ("a", "b", "é")
    if kind in {FieldType.INTEGER, FieldType.NUMBER}:
        low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
        made |= {"min": draw(st.sampled_from([low, None])), "max": draw(st.sampled_from([high, None]))}
    if kind in {FieldType.STRING, FieldType.TEXT, FieldType.MULTI_CHOICE}:
        made |= {"min_length": draw(st.integers(0, 2)), "max_length": draw(st.integers(2, 5))}
    return Field.model_validate(made)


GIVEN = st.one_of(
    NUMBERS,
    st.floats(-60, 60),
    st.booleans(),
    TEXTS,
    st.sampled_from(["a", "b", "é", "A", "c"]),
    st.lists(st.sampled_from(["a", "b", "é", "c"]), max_size=4),
    DAYS,
    st.times().map(lambda at: at.isoformat("minutes")),
    st.datetimes(timezones=st.just(None)).map(lambda at: f"{at.isoformat(timespec='seconds')}Z"),
    # jsonschema-rs knows the names of top-level domains beyond ASCII in small letters only.
    st.emails().map(lambda address: address.lower() if "xn--" in address.lower() else address),
    st.sampled_from(["https://example.com/a", "http://localhost:80", "example.com", "ftp://example.com"]),
)


def accepted(field: Field, value: JsonValue) -> bool:
    try:
        validate([field], {"it": value}, strict=True)
    except InvalidValues:
        return False
    return True


def narrower(field: Field, value: JsonValue) -> bool:
    """Where Crewdeck takes less than JSON Schema can say: blank texts, addresses that lead nowhere."""
    blank = field.required and isinstance(value, str) and not value.strip()
    return blank or field.type in {FieldType.EMAIL, FieldType.URL}


@settings(max_examples=examples(400), deadline=None)
@given(one_field(), GIVEN)
def test_the_schema_takes_what_validate_takes(field: Field, value: JsonValue) -> None:
    check_form([field])
    schema = jsonschema_rs.validator_for(json_schema([field]), validate_formats=True)
    says = schema.is_valid({"it": value})
    if accepted(field, value):
        assert says
    else:
        assert not says or narrower(field, value)


@settings(max_examples=examples(200), deadline=None)
@given(one_field(), GIVEN)
def test_a_value_that_was_taken_is_taken_again_unchanged(field: Field, value: JsonValue) -> None:
    if accepted(field, value):
        values = validate([field], {"it": value}, strict=True)
        assert validate([field], values, strict=True) == values
        assert validate([field], values, strict=False) == {
            n: v for n, v in values.items() if v != "" and str(v).strip()
        }


@settings(max_examples=examples(200), deadline=None)
@given(one_field())
def test_any_form_can_be_read_back(field: Field) -> None:
    [found] = read(json_schema([field]))
    # A list that may be empty is empty where nothing is chosen.
    optional_list = field.type is FieldType.MULTI_CHOICE and not (field.required or field.min_length)
    expected = field.model_copy(update={"default": ()}) if optional_list else field
    assert json_schema([found]) == json_schema([expected])
    assert found.type is field.type


# ── schemas that are no forms ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "format": "password"}, "asks for a secret"),
        ({"type": "string", "writeOnly": True}, "asks for a secret"),
        ({"type": "string", "title": "Your password"}, "asks for a secret"),
        ({"type": "integer", "enum": [1, 2]}, "can't express `enum`"),
        ({"type": "string", "enum": [1, 2]}, "choices must be texts"),
        ({"type": "string", "oneOf": [{"const": "a", "title": "A"}]}, "can't express `oneOf`"),
        ({"type": "array", "items": {"type": "string"}}, "a list is a choice of several texts"),
        ({"type": "object", "properties": {}}, "each in a field of its own"),
        ({"type": ["string", "null"]}, "each in a field of its own"),
        ({"$ref": "#/$defs/Nowhere"}, "leads nowhere"),
        ({}, "each in a field of its own"),
    ],
)
def test_what_a_form_cannot_express_is_refused(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"the field 'it'") as refused:
        read({"type": "object", "properties": {"it": schema}})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "schema",
    [
        {}, {"type": "array"}, {"type": "object"}, {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": []},
    ],
)  # fmt: skip
def test_what_is_no_flat_object_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a form"):
        read(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^a+$"}, {"type": "string", "format": "ipv4"},
        {"type": "number", "exclusiveMinimum": 0}, {"type": "integer", "multipleOf": 2},
    ],
)  # fmt: skip
def test_what_only_the_model_can_check_is_left_to_it(schema: dict[str, Any]) -> None:
    [field] = read({"type": "object", "properties": {"it": schema}})
    assert field.type.value == schema["type"]
