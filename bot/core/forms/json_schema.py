"""Forms as flat JSON Schema, as elicitation in the Model Context Protocol has it. Pure.

`json_schema` says what `validation.validate` takes from programs. JSON Schema has no words for bounds of
dates: `formatMinimum` and `formatMaximum` say them. `contentMediaType: text/plain` is a text of several
lines.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from bot.core.forms.fields import Field, FieldType
from bot.core.forms.validation import default_of

TIME_PATTERN = r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"
MULTILINE = "text/plain"
"""The media type of a `text`; a `string` has none."""

_FORMATS = {
    FieldType.EMAIL: "email",
    FieldType.URL: "uri",
    FieldType.DATE: "date",
    FieldType.DATETIME: "date-time",
}
_TYPES = {
    FieldType.INTEGER: "integer",
    FieldType.NUMBER: "number",
    FieldType.BOOLEAN: "boolean",
    FieldType.MULTI_CHOICE: "array",
}
_NUMBERS = frozenset({FieldType.INTEGER, FieldType.NUMBER})
Schema = dict[str, JsonValue]


def json_schema(fields: Iterable[Field]) -> Schema:
    """The flat object schema of a form."""
    listed = tuple(fields)
    properties: Schema = {field.name: _property(field) for field in listed}
    required: list[JsonValue] = [field.name for field in listed if field.required]
    return {"type": "object", "properties": properties, "required": required}


def _property(field: Field) -> Schema:
    schema: Schema = {"type": _TYPES.get(field.type, "string"), "title": field.title}
    if field.description.strip():
        schema["description"] = field.description
    schema |= _form_of(field) | _bounds(field) | _lengths(field)
    default = default_of(field)
    return schema if default is None else schema | {"default": default}


def _form_of(field: Field) -> Schema:
    match field.type:
        case FieldType.CHOICE:
            return {"enum": list(field.choices)}
        case FieldType.MULTI_CHOICE:
            return {"items": {"type": "string", "enum": list(field.choices)}, "uniqueItems": True}
        case FieldType.TEXT:
            return {"contentMediaType": MULTILINE}
        case FieldType.TIME:
            return {"pattern": TIME_PATTERN}
        case _:
            return {"format": _FORMATS[field.type]} if field.type in _FORMATS else {}


def _bounds(field: Field) -> Schema:
    low, high = ("minimum", "maximum") if field.type in _NUMBERS else ("formatMinimum", "formatMaximum")
    bounds: Schema = {low: field.min, high: field.max}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _lengths(field: Field) -> Schema:
    several = field.type is FieldType.MULTI_CHOICE
    # A required text is not empty.
    least = max(field.min_length or 0, int(field.required and field.type in _FILLED)) or None
    lengths: Schema = {
        "minItems" if several else "minLength": least,
        "maxItems" if several else "maxLength": field.max_length,
    }
    return {name: length for name, length in lengths.items() if length is not None}


_FILLED = frozenset({FieldType.STRING, FieldType.TEXT, FieldType.MULTI_CHOICE})
