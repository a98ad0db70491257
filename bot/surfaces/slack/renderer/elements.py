"""Texts, buttons, selects and fields of Block Kit, each within Slack's limits whatever the text. Pure."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from typing import Any

from bot.core.text import visible
from bot.surfaces.chat.messages import Button, Checkboxes, Confirm, Element, FieldType, Input, Option, Select
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


def field(of: Input) -> Json:
    """A labelled field of a modal."""
    block: Json = {
        "type": "input",
        "block_id": of.name,
        "label": plain(of.label, FIELD_TEXT_UNITS),
        "element": _input(of),
        "optional": not of.required,
    }
    if of.live:
        block["dispatch_action"] = True
    return block | ({"hint": plain(of.hint, FIELD_TEXT_UNITS)} if of.hint.strip() else {})


def _input(of: Input) -> Json:
    match of.type:
        case FieldType.CHOICE:
            return _one_of(of)
        case FieldType.MULTI_CHOICE:
            return _several_of(of)
        case FieldType.DATE | FieldType.TIME | FieldType.DATETIME:
            return _picker(of)
        case FieldType.FILE:
            accepted = {"filetypes": list(of.accept)} if of.accept else {}
            return {"type": "file_input", "action_id": of.action, "max_files": 1, **accepted}
        case _:
            return _typed(of)


def _typed(of: Input) -> Json:
    words = truncate(of.value, TYPED_UNITS)
    if of.type in _NUMBERS and not _is_number(words):
        words = ""  # Slack refuses a form whose number is none.
    element: Json = {**_TYPED[of.type], **_filled(of, "initial_value", words)}
    if of.live:
        element["dispatch_action_config"] = {"trigger_actions_on": ["on_character_entered"]}
    return element


_NUMBERS = frozenset({FieldType.INTEGER, FieldType.NUMBER})


def _is_number(words: str) -> bool:
    try:
        return math.isfinite(float(words))
    except ValueError:
        return False


_TYPED: dict[FieldType, Json] = {
    FieldType.LINE: {"type": "plain_text_input", "multiline": False, "max_length": TYPED_UNITS},
    FieldType.TEXT: {"type": "plain_text_input", "multiline": True, "max_length": TYPED_UNITS},
    FieldType.INTEGER: {"type": "number_input", "is_decimal_allowed": False},
    FieldType.NUMBER: {"type": "number_input", "is_decimal_allowed": True},
    FieldType.EMAIL: {"type": "email_text_input"},
    FieldType.URL: {"type": "url_text_input"},
}


def _one_of(of: Input) -> Json:
    select = _select("Choose...", of.action, of.options)
    known = [each for each in select["options"] if of.value and each["value"] == of.value]
    return select | ({"initial_option": known[0]} if known else {})


def _several_of(of: Input) -> Json:
    """Checkboxes, or a select where there are too many options for them."""
    options = [_option(each) for each in of.options[:OPTIONS]]
    kind = "checkboxes" if len(options) <= TICKS else "multi_static_select"
    made: Json = {"type": kind, "action_id": of.action, "options": options}
    if kind != "checkboxes":
        made["placeholder"] = plain("Choose...", PLACEHOLDER_UNITS)
    chosen = of.value.split(",") if of.value else []
    known = [each for each in options if each["value"] in chosen]
    return made | ({"initial_options": known} if known else {})


def _picker(of: Input) -> Json:
    if of.type is FieldType.DATE:
        return {"type": "datepicker", **_filled(of, "initial_date", _read(of, date))}
    if of.type is FieldType.TIME:
        # A picker has no seconds.
        return {"type": "timepicker", **_filled(of, "initial_time", _read(of, time)[:5])}
    at = _read(of, datetime)
    seconds = int(datetime.fromisoformat(at).timestamp()) if at else None
    return {"type": "datetimepicker", **_filled(of, "initial_date_time", seconds)}


def _read(of: Input, kind: type[date | time]) -> str:
    """The value in ISO 8601; empty if it is none: pickers show nothing else."""
    try:
        kind.fromisoformat(of.value)
    except ValueError:
        return ""
    return of.value


def _filled(of: Input, key: str, known: str | int | None) -> Json:
    return {"action_id": of.action, **({key: known} if known else {})}
