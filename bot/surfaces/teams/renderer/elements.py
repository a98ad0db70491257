"""Buttons, selects and fields as actions and inputs of Adaptive Cards. Pure.

In messages a button is an Action.Execute, with an Action.Submit for clients that don't know it; what opens a
form, and everything in a form, is an Action.Submit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, time
from typing import Any

from bot.core.text import visible
from bot.surfaces.chat import actions
from bot.surfaces.chat.messages import Button, Checkboxes, Confirm, Element, FieldType, Input, Option, Select
from bot.surfaces.chat.shortening import truncate
from bot.surfaces.teams import card_data
from bot.surfaces.teams.renderer.text import literal, rich_text

Json = dict[str, Any]

LABEL_UNITS = 60
"""Teams cuts a longer label where the window is narrow."""
FIELD_LABEL_UNITS = 500
TYPED_UNITS = 4000
OPTIONS = 100
VERB = "crewdeck"
"""The verb of our Action.Execute: what it does is in its data."""
MAX_INTEGER = 2**53 - 1
"""Clients hold numbers as floating point."""
_STYLES = {"primary": "positive", "danger": "destructive"}


def label(text: str, limit: int = LABEL_UNITS) -> str:
    """A label within a limit; a dash for nothing."""
    return truncate(visible(" ".join(text[: 4 * limit].split())) or "-", limit)


def row(elements: Iterable[Element], *, in_form: bool) -> list[Json]:
    """A row of elements: inputs first, then what can be pressed."""
    elements = tuple(elements)
    inputs = [_input_of(each) for each in elements if not isinstance(each, Button)]
    pressed = [_action(each, in_form=in_form) for each in elements if _is_pressed(each)]
    return [*inputs, *([{"type": "ActionSet", "actions": pressed}] if pressed else [])]


def _is_pressed(element: Element) -> bool:
    return isinstance(element, Button | Select)


def _input_of(element: Element) -> Json:
    match element:
        case Select():
            choices = _choice_set(card_data.CHOICE, element.options)
            shown = {"placeholder": label(element.placeholder), "isRequired": True}
            return {
                **choices,
                **shown,
                "errorMessage": "Choose one first.",
                "label": label(element.placeholder),
            }
        case Checkboxes():
            choices = _choice_set(card_data.TICKED, element.options)
            return {**choices, "style": "expanded", "isMultiSelect": True, "label": "Choose what to decide"}
        case Button():
            raise TypeError("a button is no input")


def _choice_set(input_id: str, options: Iterable[Option]) -> Json:
    choices = [{"title": label(each.label), "value": each.value} for each in options]
    return {"type": "Input.ChoiceSet", "id": input_id, "choices": choices[:OPTIONS], "wrap": True}


def _action(element: Element, *, in_form: bool) -> Json:
    match element:
        case Button() if element.url:
            return {"type": "Action.OpenUrl", "title": label(element.label), "url": element.url}
        case Button():
            action = _button(element, in_form=in_form)
            made = action if element.action in actions.WITH_INPUTS else _without_inputs(action)
            return _confirmed(element.label, element.confirm, made) if element.confirm else made
        case Select():
            title = label(element.placeholder.removesuffix("...").strip())
            return _pressed(title, card_data.select(element.action), in_form=in_form)
        case Checkboxes():
            raise TypeError("ticks are not pressed")


def _button(of: Button, *, in_form: bool) -> Json:
    if not in_form and actions.opens_form(of.action):
        data = card_data.button(of.action, of.value, opens_dialog=True)
        made: Json = {"type": "Action.Submit", "title": label(of.label), "data": data}
    else:
        made = _pressed(label(of.label), card_data.button(of.action, of.value), in_form=in_form)
    if of.style:
        made["style"] = _STYLES[of.style]
    return made | ({"tooltip": label(of.spoken, 200)} if of.spoken else {})


def _pressed(title: str, data: Json, *, in_form: bool) -> Json:
    submit: Json = {"type": "Action.Submit", "title": title, "data": data}
    if in_form:
        return submit
    return {"type": "Action.Execute", "title": title, "verb": VERB, "data": data, "fallback": submit}


def _without_inputs(action: Json) -> Json:
    """The press doesn't wait for what is to be filled in for another one."""
    made = {**action, "associatedInputs": "none"}
    if fallback := action.get("fallback"):
        made["fallback"] = {**fallback, "associatedInputs": "none"}
    return made


def _confirmed(title: str, confirm: Confirm, action: Json) -> Json:
    """A second button, below what a press means. Who doesn't want it leaves it there."""
    shown = [*(rich_text(literal(each)) for each in (confirm.title, confirm.text))]
    sure = {**action, "title": label(confirm.confirm), "style": "destructive"}
    if fallback := sure.get("fallback"):
        sure["fallback"] = {**fallback, "title": label(confirm.confirm)}
    card: Json = {"type": "AdaptiveCard", "body": shown, "actions": [sure]}
    return {"type": "Action.ShowCard", "title": label(title), "card": card}


# ── fields ──────────────────────────────────────────────────────────────────────────────────────────────


def field(of: Input) -> list[Json]:
    """A labelled input, with its hint below."""
    made: Json = {
        "id": of.name,
        "label": label(of.label, FIELD_LABEL_UNITS),
        "isRequired": of.required,
        **_input(of),
    }
    if of.required:
        made["errorMessage"] = "Please fill this in."
    if not of.hint.strip():
        return [made]
    hint = rich_text(literal(of.hint.strip(), {"isSubtle": True, "size": "Small"}), spacing="None")
    return [made, hint]


def _input(of: Input) -> Json:  # noqa: PLR0911 - one for each type
    match of.type:
        case FieldType.LINE | FieldType.TEXT:
            text: Json = {"type": "Input.Text", "maxLength": max(TYPED_UNITS, len(of.value))}
            text["isMultiline"] = of.type is FieldType.TEXT or "\n" in of.value
            return _filled(text, of.value)
        case FieldType.INTEGER | FieldType.NUMBER:
            return _number(of)
        case FieldType.CHOICE:
            known = [each.value for each in of.options if each.value == of.value]
            choices = _choice_set(of.name, of.options)
            return _filled({**choices, "placeholder": "Choose..."}, known[0] if known else "")
        case FieldType.MULTI_CHOICE:
            known = [each.value for each in of.options if each.value in of.value.split(",")]
            choices = {**_choice_set(of.name, of.options), "isMultiSelect": True}
            return _filled(choices, ",".join(known))
        case FieldType.DATE:
            return _picker("Input.Date", of.value, of.value, date)
        case FieldType.TIME:
            return _picker("Input.Time", of.value, of.value[:5], time)
        case FieldType.DATETIME:
            return _filled({"type": "Input.Text", "placeholder": "2026-03-31 09:30"}, of.value)
        case FieldType.EMAIL | FieldType.URL:
            return _filled({"type": "Input.Text", "style": of.type.value}, of.value)
        case FieldType.FILE:
            raise ValueError("Teams has no fields for files (Limits.files)")


def _picker(element: str, value: str, shown: str, kind: type[date | time]) -> Json:
    """A picker; a field for text where what was typed is nothing that a picker can show."""
    try:
        if value:
            kind.fromisoformat(value)
    except ValueError:
        return {"type": "Input.Text", "value": value}
    return _filled({"type": element}, shown)


def _number(of: Input) -> Json:
    """As text where a client's number would not be the same one."""
    made: Json = {"type": "Input.Number"}
    if of.type is FieldType.INTEGER:
        made |= {"min": -MAX_INTEGER, "max": MAX_INTEGER}
    if not of.value:
        return made
    try:
        value = int(of.value) if of.type is FieldType.INTEGER else float(of.value)
    except ValueError:
        return {"type": "Input.Text", "value": of.value}
    exact = math.isfinite(value) and abs(value) <= MAX_INTEGER
    return {**made, "value": value} if exact else {"type": "Input.Text", "value": of.value}


def _filled(made: Json, value: str) -> Json:
    return {**made, "value": value} if value else made
