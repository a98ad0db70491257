"""`state.values`: what is filled in, in the shape Slack gives each kind of element."""

from __future__ import annotations

from typing import Any

from tests.loopback.slack.blocks import interactive
from tests.loopback.slack.objects import MULTI_SELECTS, all_options
from tests.loopback.slack.wire import Body, Json

#: element type -> (key of its value in the state, key of its first value in the element)
SINGLE = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}
MANY = {
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "file_input": ("files", "initial_files"),
}
TEXT_INPUTS = ("plain_text_input", "email_text_input", "url_text_input", "number_input")


class NotSubmittedError(Exception):
    """Slack's own client refuses to submit: a required field is empty, or a text is too long."""


def state_values(blocks: list[Body], acted: dict[str, Body] | None = None) -> Body:
    """The values of all elements that hold one: what was chosen just now, else what they start with."""
    values: Body = {}
    for block in blocks:
        for element in interactive(block):
            key = _keys(element)
            if key is None:
                continue
            action = (acted or {}).get(block["block_id"], {})
            same = action.get("action_id") == element["action_id"]
            chosen = (
                action.get(key[0]) if same else element.get(key[1], [] if element["type"] in MANY else None)
            )
            values.setdefault(block["block_id"], {})[element["action_id"]] = {
                "type": element["type"],
                key[0]: chosen,
            }
    return values


def submitted(blocks: list[Body], given: dict[str, Any], *, checked: bool = True) -> Body:
    """state.values of a form in which a person filled `given` (by block_id, action_id or label).

    Choices are given by label or value. Raises `NotSubmittedError` where Slack's client wouldn't submit, and
    LookupError for a field or an option that isn't there. Unless `checked`, nobody has sent it yet.
    """
    values = state_values(blocks)
    unused = dict(given)
    for block in blocks:
        for element in interactive(block):
            key = _keys(element)
            if key is None:
                continue
            name = _name(block, element, unused)
            cell = values[block["block_id"]][element["action_id"]]
            if name is not None:
                cell[key[0]] = _entered(element, unused.pop(name))
            if block["type"] == "input" and checked:
                _accepted_by_client(block, element, cell[key[0]])
    if unused:
        raise LookupError(f"the view has no field called {sorted(unused)}; it has {sorted(values)}")
    return values


def _keys(element: Body) -> tuple[str, str] | None:
    return SINGLE.get(element["type"]) or MANY.get(element["type"])


def _name(block: Body, element: Body, given: dict[str, Any]) -> str | None:
    label = block.get("label", {}).get("text")
    return next((name for name in (block["block_id"], element["action_id"], label) if name in given), None)


def _entered(element: Body, value: Json) -> Json:
    kind = element["type"]
    if value is None or kind in ("static_select", "radio_buttons"):
        return None if value is None else _option(element, value)
    if kind in ("checkboxes", "multi_static_select"):
        return [_option(element, each) for each in value]
    if kind in MULTI_SELECTS or kind in ("rich_text_input", "datetimepicker", "file_input"):
        return value
    return str(value)


def _option(element: Body, name: Json) -> Body:
    for option in all_options(element):
        if name in (option["text"]["text"], option["value"]):
            return option
    offered = [option["text"]["text"] for option in all_options(element)]
    raise LookupError(f"no option is called {name!r}; there is {offered}")


def _accepted_by_client(block: Body, element: Body, value: Json) -> None:
    label = block["label"]["text"]
    if value in (None, "", []):
        if not block.get("optional"):
            raise NotSubmittedError(f"{label}: please complete this required field")
        return
    if element["type"] in TEXT_INPUTS:
        most = element.get("max_length", 3000)
        if not element.get("min_length", 0) <= len(value) <= most:
            raise NotSubmittedError(f"{label}: {len(value)} characters, {most} at most")
    if element["type"] == "number_input":
        _number_accepted(label, element, value)


def _number_accepted(label: str, element: Body, value: str) -> None:
    try:
        number = float(value)
    except ValueError:
        raise NotSubmittedError(f"{label}: please enter a number") from None
    if not element["is_decimal_allowed"] and not number.is_integer():
        raise NotSubmittedError(f"{label}: please enter a whole number")
    low, high = float(element.get("min_value", number)), float(element.get("max_value", number))
    if not low <= number <= high:
        raise NotSubmittedError(f"{label}: must be between {low:g} and {high:g}")
