"""The `data` of the actions of our Adaptive Cards, written by the renderer and read when it comes back. Pure.

Teams sends an action's `data` back together with the values of the card's inputs, by their ids. Ours is one
object under one name, so that no input of a crew can be taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

NAME: Final = "crewdeck"
REFRESH: Final = "refresh"
"""The action of a card's `refresh`: Teams asks for a reader's own view, and nobody pressed anything."""
CHOICE: Final = "choice"
"""The id of the Input.ChoiceSet whose choice is the value of a select's action."""
TICKED: Final = "ticked"
"""The id of the Input.ChoiceSet of checkboxes; their values have no commas, which separate them."""
DIALOG: Final = {"type": "task/fetch"}
"""Under `msteams` in the data of an Action.Submit: Teams asks for a dialog to open (`task/fetch`)."""


@dataclass(frozen=True)
class Submitted:
    """A form with what was filled in."""

    callback: str
    metadata: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Pressed:
    """A button, or a select with what was chosen in it."""

    action: str
    value: str
    #: The values of the checkboxes that are ticked in the same message.
    ticked: tuple[str, ...] = ()
    #: The form that holds the button, with what is filled in so far.
    form: Submitted | None = None


def button(action: str, value: str, *, opens_dialog: bool = False) -> Json:
    """The data of a `Button`."""
    data: Json = {NAME: {"action": action, "value": value}}
    return data | ({"msteams": DIALOG} if opens_dialog else {})


def select(action: str) -> Json:
    """The data of the action beside a `Select`, whose Input.ChoiceSet has the id `CHOICE`."""
    return {NAME: {"action": action}}


def form(callback: str, metadata: str) -> Json:
    """The data of the action that submits a `Form`."""
    return {NAME: {"form": callback, "metadata": metadata}}


def in_form(data: Json, callback: str, metadata: str) -> Json:
    """The data of a button, with the form that holds it."""
    return {**data, NAME: {**data[NAME], "form": callback, "metadata": metadata}}


def is_ours(data: object) -> bool:
    """Whether it comes from a card of ours, of this release or another one."""
    return isinstance(data, dict) and NAME in data


def read(data: object) -> Pressed | Submitted:
    """What came back. Raises ValueError if it isn't ours."""
    fields: Json = data if isinstance(data, dict) else {}
    match fields.get(NAME):
        case {"action": str(action), "value": str(value), "form": str(callback), "metadata": str(metadata)}:
            return Pressed(action, value, _ticked(fields), _submitted(callback, metadata, fields))
        case {"action": str(action), "value": str(value)}:
            return Pressed(action, value, _ticked(fields))
        case {"action": str(action)}:
            return Pressed(action, _text(fields.get(CHOICE)))
        case {"form": str(callback), "metadata": str(metadata)}:
            return _submitted(callback, metadata, fields)
        case _:
            raise ValueError("not the data of a card of ours")


def _submitted(callback: str, metadata: str, fields: Json) -> Submitted:
    values = {name: _text(value) for name, value in fields.items() if name not in {NAME, "msteams"}}
    return Submitted(callback, metadata, values)


def _ticked(fields: Json) -> tuple[str, ...]:
    return tuple(each for each in _text(fields.get(TICKED)).split(",") if each)


def _text(value: object) -> str:
    """The value of an input: Teams sends text, of some clients also numbers and booleans."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case _:
            return ""
