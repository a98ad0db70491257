"""Forms: the typed fields that people fill in, and the validation of what they give. Pure.

A crew's inputs and a question of kind `form` are both lists of fields; `validate` judges the values of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import JsonValue

from bot.core.errors import InvalidValues
from bot.core.files import MAX_FILE_BYTES, in_words
from bot.core.forms.field_values import MAX_TEXT, check_bounds_of, check_value
from bot.core.forms.field_words import read_words
from bot.core.forms.fields import Field, FieldType
from bot.core.forms.secret_fields import asks_for_secret
from bot.core.labels import lookalikes
from bot.core.locales import Locale
from bot.core.text import drop_invisible, says_nothing, visible

__all__ = [
    "Field", "FieldType", "blank", "check_field", "check_form", "default_of", "fits", "parse", "validate",
]  # fmt: skip

MAX_FIELDS = 60
"""Fields of a form that a crew asks for."""
MAX_NAME_LENGTH = 200
"""Platforms take names of fields of a few more characters."""
MAX_CHOICES = 100
MAX_CHOICE_UNITS = 200
"""UTF-16 units of a choice, which every window can list in full."""
MAX_DEFAULT_LENGTH = 3000
"""Every window can show a default of so many characters completely."""


NOT_IN_FORMS = (
    "it asks for a secret, and what is filled in is stored and shown to others. Keep the secret in the "
    "worker's environment, or send people a link to the page where they can enter it"
)
"""Why such a field is refused, and the way that remains."""
NO_FILES = (
    "a question can't ask for a file. Ask for a link to it, or let the run be started with the file: make it "
    "one of the crew's inputs"
)
_SUFFIX = re.compile(r"[a-z0-9]{1,16}", re.ASCII)


# ── validation of values ────────────────────────────────────────────────────────────────────────────────────


def validate(
    fields: Iterable[Field],
    given: Mapping[str, JsonValue],
    *,
    strict: bool,
    locale: Locale | None = None,
    what: Literal["field of this form", "input of this crew"] = "field of this form",
) -> dict[str, JsonValue]:
    """The values by name, converted to their types; an optional field without a value is not in it.

    With `strict`, for programs, values must have the JSON type of their field. Otherwise texts are
    understood as people write them, in their `locale`. A field that is not given has its default; one that is
    given and empty (strict: null) has no value.

    Raises InvalidValues with every problem at once, by field.
    """
    known = {field.name: field for field in fields}
    problems = {name: f"is no {what} (it has: {_names(known)})" for name in given if name not in known}
    values: dict[str, JsonValue] = {}
    for name, field in known.items():
        try:
            value = _value(field, given, strict=strict, locale=locale or Locale())
        except ValueError as error:
            problems[name] = str(error)
        else:
            if value is not None:
                values[name] = value
    if problems:
        raise InvalidValues(problems)
    return values


def parse(field: Field, raw: JsonValue, *, strict: bool = False, locale: Locale | None = None) -> JsonValue:
    """One value, converted to the field's type. Raises ValueError, which says what was expected."""
    return check_value(field, raw if strict else read_words(field, raw, locale or Locale()))


def blank(raw: JsonValue) -> bool:
    """Whether nothing is given: null, or a text in which nothing can be seen."""
    return raw is None or (isinstance(raw, str) and says_nothing(raw))


def fits(field: Field, value: JsonValue) -> bool:
    """Whether this JSON value is one of the field's."""
    try:
        check_value(field, value)
    except ValueError:
        return False
    return True


def default_of(field: Field) -> JsonValue:
    """The default as a JSON value; null if there is none."""
    return list(field.default) if isinstance(field.default, tuple) else field.default


def _names(known: Mapping[str, Field]) -> str:
    return ", ".join(known) or "none"


def _value(field: Field, given: Mapping[str, JsonValue], *, strict: bool, locale: Locale) -> JsonValue:
    raw = given.get(field.name)
    defaulted = raw is None and not (strict and field.name in given)
    raw = default_of(field) if defaulted else raw
    if _missing(field, raw, strict=strict):
        if field.required:
            raise ValueError("is required")
        nothing_chosen = field.type is FieldType.MULTI_CHOICE and raw is not None and not field.min_length
        return [] if nothing_chosen else None
    return parse(field, raw, strict=strict and not defaulted, locale=locale)


def _missing(field: Field, raw: JsonValue, *, strict: bool) -> bool:
    """Whether this is no value. To a program that may leave a text out, an empty text is a value."""
    if raw == [] and field.type is FieldType.MULTI_CHOICE:
        return field.required or not strict
    if strict and isinstance(raw, str):
        return field.required and says_nothing(raw)
    return blank(raw)


# ── definitions of fields ───────────────────────────────────────────────────────────────────────────────────


def check_form(fields: Iterable[Field]) -> None:
    """Check the fields that a crew asks for. Raises ValueError, which names the field and what to do."""
    listed = tuple(fields)
    if not listed:
        raise ValueError("a form needs at least one field")
    if len(listed) > MAX_FIELDS:
        raise ValueError(f"a form has at most {MAX_FIELDS} fields; ask for the rest in a form of its own")
    for field in listed:
        try:
            _check_asked(field)
        except ValueError as error:
            raise ValueError(f"the field {visible(field.name)!r}: {error}") from None
    if pair := lookalikes([field.name for field in listed]) or lookalikes([field.title for field in listed]):
        one, other = map(visible, pair)
        raise ValueError(f"two fields look alike: {one!r} and {other!r}; give them different names")


def _check_asked(field: Field) -> None:
    """Check a field of a question, which can't be a file."""
    if field.type is FieldType.FILE:
        raise ValueError(NO_FILES)
    check_field(field)


def check_field(field: Field) -> None:
    """Check the definition of one field. Raises ValueError, which says what to do about it."""
    if not drop_invisible(field.name).strip():
        raise ValueError("it needs a name")
    if len(field.name) > MAX_NAME_LENGTH:
        raise ValueError(f"its name has more than {MAX_NAME_LENGTH} characters; give it a `label` instead")
    if asks_for_secret(field):
        raise ValueError(NOT_IN_FORMS)
    _check_choices(field)
    check_bounds_of(field)
    _check_file(field)
    if field.default is not None:
        _check_default(field)


def _check_file(field: Field) -> None:
    if field.type is not FieldType.FILE:
        if field.accept or field.max_size is not None:
            raise ValueError("`accept` and `max_size` belong to `type: file`")
        return
    if field.default is not None:
        raise ValueError("a file has no default")
    if wrong := next((each for each in field.accept if not _SUFFIX.fullmatch(each)), None):
        raise ValueError(f"its `accept` lists suffixes of names, such as pdf, and not {visible(wrong)!r}")
    if field.max_size is not None and not 0 < field.max_size <= MAX_FILE_BYTES:
        raise ValueError(f"its `max_size` may be {in_words(MAX_FILE_BYTES)} at most")


def _check_choices(field: Field) -> None:
    if (field.type in {FieldType.CHOICE, FieldType.MULTI_CHOICE}) != bool(field.choices):
        raise ValueError("`choices` belongs to `type: choice` and `type: multi_choice`, and is needed there")
    if len(field.choices) > MAX_CHOICES:
        raise ValueError(f"it has more than {MAX_CHOICES} choices")
    if not all(map(_can_be_shown, field.choices)):
        most = f"at most {MAX_CHOICE_UNITS} characters, all of them visible"
        raise ValueError(f"each of its choices needs words, {most}")
    if pair := lookalikes(field.choices):
        one, other = map(visible, pair)
        raise ValueError(f"its choices {one!r} and {other!r} look alike")


def _can_be_shown(choice: str) -> bool:
    shown = drop_invisible(choice)
    return bool(shown.strip()) and shown == choice and len(choice.encode("utf-16-le")) <= 2 * MAX_CHOICE_UNITS


def _check_default(field: Field) -> None:
    try:
        parse(field, default_of(field))
    except ValueError as error:
        raise ValueError(f"its default {error}") from None
    if isinstance(field.default, str) and len(field.default) > min(MAX_DEFAULT_LENGTH, MAX_TEXT):
        raise ValueError(f"its default has more than {MAX_DEFAULT_LENGTH} characters")
