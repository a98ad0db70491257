"""What people press and fill in, which no platform owns. Pure; a platform's renderer makes its JSON of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True)
class Confirm:
    """A dialog before a press counts. All of it is our own words."""

    title: str
    text: str
    confirm: str
    deny: str


@dataclass(frozen=True)
class Button:
    """Something to press. `value` holds ids and digests, never authority: that is checked at the press."""

    label: str
    action: str
    value: str = ""
    #: What a screen reader says: enough to press it unseen.
    spoken: str = ""
    style: Literal["primary", "danger"] | None = None
    confirm: Confirm | None = None
    #: An address that it opens.
    url: str = ""


@dataclass(frozen=True)
class Option:
    """One option of a select."""

    label: str
    value: str


@dataclass(frozen=True)
class Select:
    """One of several options to choose; the choice counts as a press."""

    placeholder: str
    action: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Checkboxes:
    """Options to tick, none at first. A tick is no press: `Press.ticked` has the values of what was ticked.

    At most `Limits.ticks` options. What each one means stands in the blocks above.
    """

    action: str
    options: tuple[Option, ...]


Element = Button | Select | Checkboxes


class FieldType(StrEnum):
    """How a value is typed or chosen."""

    LINE = "line"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    EMAIL = "email"
    URL = "url"
    #: The value is the platform's reference to a file (`bot.surfaces.chat.inbound.form_files`).
    FILE = "file"


@dataclass(frozen=True)
class Input:
    """A labelled field. A submission gives its value, a string, under `name`; empty fields are left out.

    Dates and times are in ISO 8601; a DATETIME may come back as seconds since the epoch. The value of a
    CHOICE is its option's, that of a MULTI_CHOICE those of several options with commas between them.
    """

    name: str
    label: str
    type: FieldType
    hint: str = ""
    required: bool = True
    #: What is filled in already.
    value: str = ""
    options: tuple[Option, ...] = ()
    #: What the value is called within the field, on platforms that name both; what a change of it is called.
    action: str = "value"
    #: Of a FILE: the suffixes that may be chosen; none: any.
    accept: tuple[str, ...] = ()
    #: Each change is a press with what the whole form holds, on platforms that can tell.
    live: bool = False
