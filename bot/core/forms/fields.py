"""Fields: what a form asks for, one typed value each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, SerializerFunctionWrapHandler, model_serializer

from bot.core.text import ValidText
from bot.core.value import Strict


class FieldType(StrEnum):
    """The type of a field's value.

    `text` is a multi-line string. A date is `2026-03-31`, a time `09:30`, and a datetime has an offset from
    UTC: `2026-03-31T09:30:00+02:00`. The value of `multi_choice` is a list, in the order of the choices.
    """

    STRING = "string"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    EMAIL = "email"
    URL = "url"
    #: The id of an upload; a run has the file's record in its place (`bot.core.files.as_input`).
    FILE = "file"


def _no_boolean(bound: object) -> object:
    if isinstance(bound, bool):
        raise ValueError("is no number: true and false bound nothing")  # noqa: TRY004 - pydantic reports it
    return bound


Bound = Annotated[int | float | str | None, BeforeValidator(_no_boolean)]
"""The bound of a number, or of a date or time. Pydantic alone would read `true` as 1."""
Length = Annotated[int | None, BeforeValidator(_no_boolean)]


class Field(Strict):
    """A field of a form, or an input of a crew."""

    name: ValidText
    #: What people read instead of the name; see `title`.
    label: ValidText = ""
    type: FieldType = FieldType.STRING
    required: bool = False
    description: ValidText = ""
    choices: tuple[ValidText, ...] = ()
    #: Shown to people. It counts where a field isn't given, not where it was left empty.
    default: str | int | float | bool | tuple[ValidText, ...] | None = None
    #: The bounds of a number, or of a date or time in ISO 8601; both are included.
    min: Bound = None
    max: Bound = None
    #: The number of characters of a text, or of choices of `multi_choice`.
    min_length: Length = None
    max_length: Length = None
    #: Of a file: the suffixes that it may have, in lower case and without a dot; none: any.
    accept: tuple[str, ...] = ()
    #: Of a file: its bytes at most.
    max_size: int | None = None

    @model_serializer(mode="wrap")
    def _without_files(self, plain: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # noqa: ANN202
        """Other fields are written as before, so that releases without files can read them."""
        written = plain(self)
        if self.type is not FieldType.FILE:
            written = {name: value for name, value in written.items() if name not in {"accept", "max_size"}}
        return written

    @property
    def title(self) -> str:
        """What people read: the label, or else the name in words."""
        return self.label.strip() or self.name.replace("_", " ").strip().capitalize() or self.name
