"""Valid values for a crew's inputs, to build it with before anybody has given any."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from bot.core.forms import validation
from bot.core.forms.fields import Field, FieldType


def samples(fields: Iterable[Field]) -> dict[str, JsonValue]:
    """A valid value for each input, by name."""
    return {field.name: sample(field) for field in fields}


def sample(field: Field) -> JsonValue:
    """A valid sample value for the input."""
    if field.default is not None:
        return validation.default_of(field)
    if field.type is FieldType.MULTI_CHOICE:
        return list(field.choices[: field.min_length or 1])
    if field.type in _SAMPLES:
        candidates = (_SAMPLES[field.type], field.min, field.max)
        return next(each for each in candidates if validation.fits(field, each))
    words = field.choices[0] if field.choices else field.name
    return words.ljust(field.min_length or 0, "x")[: field.max_length]


_SAMPLES: dict[FieldType, JsonValue] = {
    FieldType.INTEGER: 1,
    FieldType.NUMBER: 1,
    FieldType.BOOLEAN: False,
    FieldType.DATE: "2000-01-01",
    FieldType.TIME: "12:00",
    FieldType.DATETIME: "2000-01-01T12:00:00Z",
    FieldType.EMAIL: "ada@example.com",
    FieldType.URL: "https://example.com/",
}
