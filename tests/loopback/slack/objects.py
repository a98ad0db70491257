"""Block Kit's limits, from the inside out: text, options, confirm dialogs, elements.

Each function yields `(message, json pointer)` for what Slack would complain about; nothing means valid.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.loopback.slack.wire import Body, Json

Problems = Iterator[tuple[str, str]]

TEXT_KEYS = {"type", "text", "emoji", "verbatim"}
PLAIN = ("plain_text",)
ANY_TEXT = ("plain_text", "mrkdwn")

SELECTS = {
    "static_select", "external_select", "users_select", "conversations_select", "channels_select",
}  # fmt: skip
MULTI_SELECTS = {f"multi_{name}" for name in SELECTS}
PICKERS = {"datepicker", "timepicker", "datetimepicker"}
CHOICES = {"radio_buttons", "checkboxes"}
TYPED_INPUTS = {"plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input"}

IN_ACTIONS = {"button", "overflow", "workflow_button"} | SELECTS | MULTI_SELECTS | PICKERS | CHOICES
IN_SECTION = {"button", "overflow", "image", "workflow_button"} | SELECTS | MULTI_SELECTS | CHOICES
IN_SECTION |= {"datepicker", "timepicker"}
IN_INPUT = {"file_input"} | TYPED_INPUTS | SELECTS | MULTI_SELECTS | PICKERS | CHOICES

#: The most options that an element takes; its texts may be mrkdwn where the second is True.
OPTIONS = {
    "static_select": (100, False),
    "multi_static_select": (100, False),
    "overflow": (5, False),
    "radio_buttons": (10, True),
    "checkboxes": (10, True),
}
BUTTON_KEYS = {
    "type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label",
}  # fmt: skip


def count(value: str) -> int:
    """Slack's clients count UTF-16 units; the stricter count is the safe one to enforce."""
    return len(value.encode("utf-16-le")) // 2


def text_object(value: Json, path: str, limit: int, kinds: tuple[str, ...] = ANY_TEXT) -> Problems:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        yield f"must provide a text object of type {' or '.join(kinds)}", path
        return
    yield from unknown_keys(value, TEXT_KEYS, path)
    yield from string(value.get("text"), f"{path}/text", limit)
    if "emoji" in value and value["type"] != "plain_text":
        yield "invalid additional property: emoji", path


def string(value: Json, path: str, limit: int, *, least: int = 1) -> Problems:
    if not isinstance(value, str):
        yield "must be a string", path
    elif len(value) < least:
        yield f"must be more than {least - 1} characters", path
    elif count(value) > limit:
        yield f"must be less than {limit + 1} characters", path


def optional_string(holder: Body, key: str, path: str, limit: int) -> Problems:
    if key in holder:
        yield from string(holder[key], f"{path}/{key}", limit)


def optional_text(holder: Body, key: str, path: str, limit: int) -> Problems:
    if key in holder:
        yield from text_object(holder[key], f"{path}/{key}", limit, PLAIN)


def unknown_keys(value: Body, known: set[str], path: str) -> Problems:
    for key in sorted(value.keys() - known):
        yield f"invalid additional property: {key}", path


def items(value: Json, path: str, most: int, *, least: int = 1) -> Problems:
    if not isinstance(value, list):
        yield "must be an array", path
    elif len(value) < least:
        yield f"must have at least {least} items", path
    elif len(value) > most:
        yield f"no more than {most} items allowed", path


def listed(value: Json) -> list[Json]:
    """The items of what should be a list; `items` has complained where it is none."""
    return value if isinstance(value, list) else []


def confirm(value: Json, path: str) -> Problems:
    if not isinstance(value, dict):
        yield "must be a confirm object", path
        return
    limits = {"title": 100, "confirm": 30, "deny": 30}
    yield from unknown_keys(value, {*limits, "text", "style"}, path)
    for key, limit in limits.items():
        yield from text_object(value.get(key), f"{path}/{key}", limit, PLAIN)
    yield from text_object(value.get("text"), f"{path}/text", 300)


def option(value: Json, path: str, kinds: tuple[str, ...]) -> Problems:
    if not isinstance(value, dict):
        yield "must be an option object", path
        return
    yield from unknown_keys(value, {"text", "value", "description", "url"}, path)
    yield from text_object(value.get("text"), f"{path}/text", 75, kinds)
    yield from string(value.get("value"), f"{path}/value", 150)
    if "description" in value:
        yield from text_object(value["description"], f"{path}/description", 75, kinds)


def option_list(value: Json, path: str, most: int, kinds: tuple[str, ...]) -> Problems:
    yield from items(value, path, most)
    for number, each in enumerate(listed(value)):
        yield from option(each, f"{path}/{number}", kinds)


def options(element: Body, path: str) -> Problems:
    """The options or option groups of an element, and that what is chosen at first is one of them."""
    most, marked_up = OPTIONS[element["type"]]
    kinds = ANY_TEXT if marked_up else PLAIN
    groups = element.get("option_groups")
    if groups is None:
        yield from option_list(element.get("options"), f"{path}/options", most, kinds)
    else:
        yield from items(groups, f"{path}/option_groups", 100)
        for number, group in enumerate(each for each in listed(groups) if isinstance(each, dict)):
            here = f"{path}/option_groups/{number}"
            yield from text_object(group.get("label"), f"{here}/label", 75, PLAIN)
            yield from option_list(group.get("options"), f"{here}/options", 100, kinds)
    offered = [each.get("value") for each in all_options(element)]
    first = [element["initial_option"]] if "initial_option" in element else element.get("initial_options")
    if any(chosen not in all_options(element) for chosen in listed(first)):
        yield "initial option is not one of the options", path
    if len(set(offered)) < len(offered) and element["type"] in CHOICES:
        yield "option values must be unique", f"{path}/options"


def all_options(element: Body) -> list[Body]:
    found: list[Json] = list(listed(element.get("options")))
    for group in listed(element.get("option_groups")):
        found.extend(listed(group.get("options")) if isinstance(group, dict) else [])
    return [each for each in found if isinstance(each, dict)]


def button(element: Body, path: str) -> Problems:
    yield from unknown_keys(element, BUTTON_KEYS, path)
    yield from text_object(element.get("text"), f"{path}/text", 75, PLAIN)
    yield from optional_string(element, "value", path, 2000)
    yield from optional_string(element, "url", path, 3000)
    yield from optional_string(element, "accessibility_label", path, 75)
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "must be one of primary, danger", f"{path}/style"


def typed_input(element: Body, path: str) -> Problems:
    most = element.get("max_length", 3000)
    if not 1 <= most <= 3000:
        yield "must be between 1 and 3000", f"{path}/max_length"
    if not 0 <= element.get("min_length", 0) <= most:
        yield "must be between 0 and max_length", f"{path}/min_length"
    if isinstance(element.get("initial_value"), str):
        yield from string(element["initial_value"], f"{path}/initial_value", most, least=0)


def image(element: Body, path: str) -> Problems:
    yield from optional_string(element, "image_url", path, 3000)
    yield from string(element.get("alt_text"), f"{path}/alt_text", 2000)
    if "image_url" not in element and "slack_file" not in element:
        yield "must define image_url or slack_file", path


def element(value: Json, path: str, allowed: set[str]) -> Problems:
    """An interactive element (or image) inside a block that takes the `allowed` types."""
    if not isinstance(value, dict) or value.get("type") not in allowed:
        found = value.get("type") if isinstance(value, dict) else value
        yield f"unsupported type: {found}", f"{path}/type"
        return
    yield from optional_string(value, "action_id", path, 255)
    yield from optional_text(value, "placeholder", path, 150)
    if "confirm" in value:
        yield from confirm(value["confirm"], f"{path}/confirm")
    kind = value["type"]
    if kind in OPTIONS:
        yield from options(value, path)
    elif kind == "button":
        yield from button(value, path)
    elif kind == "image":
        yield from image(value, path)
    elif kind == "number_input":
        if not isinstance(value.get("is_decimal_allowed"), bool):
            yield "missing required field: is_decimal_allowed", path
    elif kind in TYPED_INPUTS:
        yield from typed_input(value, path)
