"""Forms of pydantic models, read from their JSON Schema, and their instances from what was filled in. Pure.

A keyword that a form can't express is refused, never dropped. The model checks the values itself afterwards,
so constraints that only it can express (`gt`, `pattern`, validators) are left to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from bot.core.errors import InvalidValues
from bot.core.forms.fields import Field, FieldType
from bot.core.forms.json_schema import MULTILINE, TIME_PATTERN
from bot.core.forms.validation import NOT_IN_FORMS, check_form

M = TypeVar("M", bound=BaseModel)
Schema = Mapping[str, Any]

_OBJECT = frozenset(
    {"type", "properties", "required", "title", "description", "$schema", "$defs", "additionalProperties"}
)
_NOTES = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"})
_KEYWORDS: dict[str, frozenset[str]] = {
    "string": frozenset(
        {
            "type", "format", "enum", "const", "minLength", "maxLength", "pattern", "contentMediaType",
            "formatMinimum", "formatMaximum",
        }
    ),
    "integer": frozenset({"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "number": frozenset({"type", "minimum", "maximum"}),
    "boolean": frozenset({"type"}),
    "array": frozenset({"type", "items", "minItems", "maxItems", "uniqueItems"}),
}  # fmt: skip
_LEFT_TO_THE_MODEL = frozenset({"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern"})
_FORMATS = {
    "email": FieldType.EMAIL,
    "uri": FieldType.URL,
    "date": FieldType.DATE,
    "date-time": FieldType.DATETIME,
    "time": FieldType.TIME,
}


def fields_of_model(model: type[BaseModel]) -> tuple[Field, ...]:
    """The fields of a pydantic model. Raises ValueError, which names what a form can't ask for."""
    schema = model.model_json_schema()
    try:
        properties = _properties(schema)
        nullable, required = _nullable(schema), frozenset(schema.get("required") or ())
        fields = tuple(
            _field_of_model(
                _field(name, each),
                needed=name in required and name not in nullable,
                nullable=name in nullable,
            )
            for name, each in properties.items()
        )
        check_form(fields)
    except ValueError as error:
        raise ValueError(f"{model.__name__} is no form: {error}") from None
    return fields


def instance(model: type[M], values: Mapping[str, JsonValue]) -> M:
    """The model's instance with these values of its form.

    Raises InvalidValues for what only the model knows; a problem of several fields is under the name "".
    """
    schema = model.model_json_schema()
    empty = {name: None for name in _nullable(schema) if name not in values}
    try:
        return model.model_validate({**empty, **values})
    except ValidationError as error:
        raise InvalidValues(_problems(error)) from None


def _field_of_model(field: Field, *, needed: bool, nullable: bool) -> Field:
    """The field, required where the model takes no null: who empties it must not get its default unseen."""
    several = field.type is FieldType.MULTI_CHOICE and not field.min_length
    if several and field.default is None:
        return field.model_copy(update={"required": False, "default": ()})
    filled = field.default not in {None, "", ()}
    return field.model_copy(update={"required": needed or (filled and not nullable and not several)})


def _properties(schema: Schema) -> dict[str, Schema]:
    """The schemas of the properties, without references and without the possibility of null."""
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        raise ValueError("a form is an object with `properties`")
    if unknown := sorted(schema.keys() - _OBJECT):
        raise ValueError(f"a form has no `{unknown[0]}`; it is a flat list of fields")
    definitions = schema.get("$defs") or {}
    return {name: _resolved(name, each, definitions) for name, each in schema["properties"].items()}


def _resolved(name: str, schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    for key in ("allOf", "anyOf"):
        options = [each for each in schema.get(key) or () if each != {"type": "null"}]
        if len(options) == 1:
            rest = {word: value for word, value in schema.items() if word != key}
            return _resolved(name, {**options[0], **rest}, definitions)
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target = definitions.get(str(reference).removeprefix("#/$defs/"))
    if target is None or "$ref" in target:
        raise ValueError(f"the field {name!r}: `$ref: {reference}` leads nowhere")
    return {**target, **{word: value for word, value in schema.items() if word != "$ref"}}


def _field(name: str, schema: Schema) -> Field:
    try:
        return _read(name, schema)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"the field {name!r}: {error}") from None


def _read(name: str, schema: Schema) -> Field:
    if schema.get("format") == "password" or schema.get("writeOnly"):
        raise ValueError(NOT_IN_FORMS)
    written = _with_type(schema)
    _check_keywords(written)
    kind = _kind(written)
    default = written.get("default")
    return Field.model_validate(
        {
            "name": name,
            "label": "" if written.get("title") == Field(name=name).title else written.get("title") or "",
            "description": written.get("description") or "",
            "type": kind,
            "choices": _choices(written),
            "default": tuple(default) if isinstance(default, list) else default,
            "min": _bound(written, "Minimum", 1),
            "max": _bound(written, "Maximum", -1),
            "min_length": written.get("minItems" if kind is FieldType.MULTI_CHOICE else "minLength"),
            "max_length": written.get("maxItems" if kind is FieldType.MULTI_CHOICE else "maxLength"),
        }
    )


def _with_type(schema: Schema) -> Schema:
    if str(schema.get("type")) in _KEYWORDS:
        return schema
    kinds = {each.get("type") for each in schema.get("anyOf") or ()} - {"null"}
    if kinds == {"number", "string"}:  # Decimal
        number = next(each for each in schema["anyOf"] if each.get("type") == "number")
        return {**number, **{word: value for word, value in schema.items() if word != "anyOf"}}
    raise ValueError(
        "a form asks for texts, numbers, yes or no, dates, times and choices, each in a field of its own"
    )


def _check_keywords(schema: Schema) -> None:
    known = _KEYWORDS[schema["type"]] | _NOTES | _LEFT_TO_THE_MODEL
    if unknown := sorted(schema.keys() - known):
        raise ValueError(f"a form can't express `{unknown[0]}`")


def _kind(schema: Schema) -> FieldType:
    match schema["type"]:
        case "array":
            return FieldType.MULTI_CHOICE
        case "string":
            return _text_kind(schema)
        case other:
            return FieldType(other)


def _text_kind(schema: Schema) -> FieldType:
    if "enum" in schema or "const" in schema:
        return FieldType.CHOICE
    if schema.get("pattern") == TIME_PATTERN:
        return FieldType.TIME
    name = schema.get("format")
    if name in _FORMATS:
        return _FORMATS[name]
    return FieldType.TEXT if schema.get("contentMediaType") == MULTILINE else FieldType.STRING


def _choices(schema: Schema) -> tuple[str, ...]:
    if schema["type"] == "array":
        items = schema.get("items") or {}
        if items.get("type") != "string" or not items.get("enum") or items.keys() - {"type", "enum", "title"}:
            raise ValueError("a list is a choice of several texts: its `items` are an `enum` of strings")
        schema = items
    offered = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if not all(isinstance(each, str) for each in offered):
        raise ValueError("its choices must be texts")
    return tuple(offered)


def _bound(schema: Schema, word: str, step: int) -> int | float | str | None:
    """The inclusive bound. An exclusive one of an integer is the next integer."""
    exclusive: int | float | None = schema.get(f"exclusive{word}")
    inclusive: int | float | str | None = schema.get(word.lower(), schema.get(f"format{word}"))
    if exclusive is None:
        return inclusive
    if schema["type"] != "integer":
        return exclusive if inclusive is None else inclusive
    nearest = int(exclusive) + step
    return nearest if inclusive is None else (max if step > 0 else min)(nearest, int(inclusive))


def _nullable(schema: Schema) -> frozenset[str]:
    properties: dict[str, Schema] = schema["properties"]
    return frozenset(
        name for name, each in properties.items() if {"type": "null"} in (each.get("anyOf") or ())
    )


def _problems(error: ValidationError) -> dict[str, str]:
    problems: dict[str, str] = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(each["loc"][0]) if each["loc"] else ""
        problems.setdefault(name, each["msg"].removeprefix("Value error, "))
    return problems
