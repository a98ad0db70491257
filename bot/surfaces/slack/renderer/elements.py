"""Texts, buttons, selects and fields of Block Kit, each within Slack's limits whatever the text. Pure."""

from __future__ import annotations

from typing import Any

from bot.core.text import visible
from bot.surfaces.chat.messages import (
    Button,
    Checkboxes,
    Confirm,
    Element,
    Field,
    FieldType,
    Option,
    Select,
)
from bot.surfaces.chat.shortening import truncate

Json = dict[str, Any]

LABEL_UNITS = 75
SECTION_UNITS = 3000
HEADER_UNITS = 150
PLACEHOLDER_UNITS = 150
TITLE_UNITS = 24
FIELD_TEXT_UNITS = 2000
TYPED_UNITS = 3000
OPTIONS = 100
TICKS = 10
_BLANKS = " \t\r\n\u00a0\u3000"


def plain(text: str, limit: int) -> Json:
    """A plain text object, in which `:names:` of emoji stay; a dash for nothing, which Slack refuses."""
    return {
        "type": "plain_text",
        "text": truncate(visible(text.strip(_BLANKS)[: limit + 1]) or "-", limit),
        "emoji": False,
    }


def mrkdwn_text(mrkdwn: str) -> Json:
    """A mrkdwn object; `verbatim`, so that Slack looks for nothing more in it than we wrote."""
    return {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}


def element(of: Element) -> Json:
    """What stands in a row of elements."""
    match of:
        case Button():
            return _button(of)
        case Select():
            return _select(of.placeholder, of.action, of.options)
        case Checkboxes():
            options = [_option(each) for each in of.options[:TICKS]]
            return {"type": "checkboxes", "action_id": of.action, "options": options}


def _button(of: Button) -> Json:
    made: Json = {
        "type": "button",
        "text": plain(of.label, LABEL_UNITS),
        "action_id": of.action,
        "accessibility_label": truncate(visible(of.spoken[: LABEL_UNITS + 1]), LABEL_UNITS),
    }
    made |= {"url": of.url} if of.url else {"value": of.value}
    if of.style:
        made["style"] = of.style
    return made | ({"confirm": _confirm(of.confirm)} if of.confirm else {})


def _confirm(of: Confirm) -> Json:
    return {
        "title": plain(of.title, 100),
        "text": plain(of.text, 300),
        "confirm": plain(of.confirm, 30),
        "deny": plain(of.deny, 30),
        "style": "danger",
    }


def _select(placeholder: str, action_id: str, options: tuple[Option, ...]) -> Json:
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, PLACEHOLDER_UNITS),
        "options": [_option(each) for each in options[:OPTIONS]],
    }


def _option(of: Option) -> Json:
    """`value` holds up to 150 characters."""
    return {"text": plain(of.label, LABEL_UNITS), "value": of.value}


def field(of: Field) -> Json:
    """A labelled field of a modal."""
    block: Json = {
        "type": "input",
        "block_id": of.name,
        "label": plain(of.label, FIELD_TEXT_UNITS),
        "element": _input(of),
        "optional": not of.required,
    }
    return block | ({"hint": plain(of.hint, FIELD_TEXT_UNITS)} if of.hint.strip() else {})


def _input(of: Field) -> Json:
    match of.type:
        case FieldType.LINE | FieldType.TEXT:
            typed = {"type": "plain_text_input", "multiline": of.type is FieldType.TEXT}
            words = truncate(of.value, TYPED_UNITS)
            return _filled(of, {**typed, "max_length": TYPED_UNITS}, "initial_value", words)
        case FieldType.INTEGER | FieldType.NUMBER:
            number = {"type": "number_input", "is_decimal_allowed": of.type is FieldType.NUMBER}
            return _filled(of, number, "initial_value", of.value)
        case FieldType.CHOICE:
            select = _select("Choose...", of.action, of.options)
            known = [each for each in select["options"] if of.value and each["value"] == of.value]
            return select | ({"initial_option": known[0]} if known else {})
        case FieldType.DATE:
            return _filled(of, {"type": "datepicker"}, "initial_date", of.value)


def _filled(of: Field, element: Json, key: str, known: str) -> Json:
    return {**element, "action_id": of.action, **({key: known} if known else {})}
