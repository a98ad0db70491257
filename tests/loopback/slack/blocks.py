"""Block Kit as Slack validates it: what a message, a modal or an App Home may hold."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

from tests.loopback.slack import objects
from tests.loopback.slack.objects import PLAIN, Problems
from tests.loopback.slack.wire import Body, Json, SlackError

Surface = Literal["message", "modal", "home"]

MOST_BLOCKS = {"message": 50, "modal": 100, "home": 100}
MARKDOWN_CHARACTERS = 12_000
#: Undocumented, over the text of all blocks of a message (measured by several people at about this).
MESSAGE_CHARACTERS = 13_200
MESSAGE_ONLY = {"markdown", "table", "plan", "task_card", "context_actions", "file"}


def with_ids(blocks: list[Body], next_id: Callable[[str], str]) -> list[Body]:
    """The blocks as Slack stores them: each block and interactive element has an id."""
    blocks = copy.deepcopy(blocks)
    for block in blocks:
        block.setdefault("block_id", next_id("bl"))
        for element in interactive(block):
            element.setdefault("action_id", next_id("ac"))
    return blocks


def interactive(block: Body) -> list[Body]:
    """The elements of a block that a person can act on."""
    if block["type"] in ("actions", "context_actions"):
        return list(block["elements"])
    inner = block.get("accessory") if block["type"] == "section" else block.get("element")
    return [inner] if isinstance(inner, dict) and inner.get("type") != "image" else []


def check_message_blocks(blocks: Json) -> None:
    """Raises `invalid_blocks_format`, `invalid_blocks` or `msg_blocks_too_long` as chat.postMessage does."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    problems = list(block_problems(blocks, "message", "/blocks"))
    if problems:
        raise SlackError("invalid_blocks", **_details(problems, "errors"))
    markdown = sum(objects.count(b["text"]) for b in blocks if b["type"] == "markdown")
    everything = sum(objects.count(text) for text in texts(blocks))
    if markdown > MARKDOWN_CHARACTERS or everything > MESSAGE_CHARACTERS:
        raise SlackError("msg_blocks_too_long")


def check_view(view: Json, surface: Literal["modal", "home"]) -> None:
    """Raises `invalid_arguments` with Slack's explanations."""
    if not isinstance(view, dict):
        raise SlackError(
            "invalid_arguments", response_metadata={"messages": ["[ERROR] view must be an object"]}
        )
    problems = list(view_problems(view, surface))
    if problems:
        raise SlackError("invalid_arguments", **_details(problems, None))


def view_problems(view: Body, surface: Literal["modal", "home"]) -> Problems:
    if view.get("type") != surface:
        yield f"must be a {surface}", "/view/type"
    for key in ("callback_id", "external_id"):
        if view.get(key):
            yield from objects.string(view[key], f"/view/{key}", 255)
    if "private_metadata" in view:
        yield from objects.string(view["private_metadata"], "/view/private_metadata", 3000, least=0)
    blocks = view.get("blocks")
    if not isinstance(blocks, list):
        yield "missing required field: blocks", "/view"
        return
    yield from block_problems(blocks, surface, "/view/blocks")
    if surface == "modal":
        yield from _modal_problems(view, blocks)


def _modal_problems(view: Body, blocks: list[Body]) -> Problems:
    yield from objects.text_object(view.get("title"), "/view/title", 24, PLAIN)
    for key in ("submit", "close"):
        if view.get(key) is not None:
            yield from objects.text_object(view[key], f"/view/{key}", 24, PLAIN)
    if view.get("submit") is None and any(block.get("type") == "input" for block in blocks):
        yield "missing required field: submit (the view has input blocks)", "/view"


def block_problems(blocks: list[Body], surface: Surface, path: str) -> Problems:
    yield from objects.items(blocks, path, MOST_BLOCKS[surface], least=0)
    for number, block in enumerate(blocks):
        yield from _one_block(block, surface, f"{path}/{number}")
    ids = Counter(block.get("block_id") for block in blocks if block.get("block_id"))
    for repeated in (block_id for block_id, times in ids.items() if times > 1):
        yield f"`block_id` {repeated!r} already exists", path


def _one_block(block: Body, surface: Surface, path: str) -> Problems:
    kind = block.get("type")
    check = CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None or (kind in MESSAGE_ONLY and surface != "message"):
        yield f"unsupported type: {kind}", f"{path}/type"
        return
    yield from objects.optional_string(block, "block_id", path, 255)
    problems = list(check(block, path))
    yield from problems
    if not problems:
        ids = Counter(e["action_id"] for e in interactive(block) if e.get("action_id"))
        for repeated in (action for action, times in ids.items() if times > 1):
            yield f"`action_id` {repeated!r} already exists for this block", f"{path}/elements"


def _section(block: Body, path: str) -> Problems:
    known = {"type", "block_id", "text", "fields", "accessory", "expand"}
    yield from objects.unknown_keys(block, known, path)
    if "text" not in block and not block.get("fields"):
        yield "must define either `fields` or `text`", path
    if "text" in block:
        yield from objects.text_object(block["text"], f"{path}/text", 3000)
    if "fields" in block:
        yield from objects.items(block["fields"], f"{path}/fields", 10)
        for number, field in enumerate(objects.listed(block["fields"])):
            yield from objects.text_object(field, f"{path}/fields/{number}", 2000)
    if "accessory" in block:
        yield from objects.element(block["accessory"], f"{path}/accessory", objects.IN_SECTION)


def _actions(block: Body, path: str) -> Problems:
    yield from objects.unknown_keys(block, {"type", "block_id", "elements"}, path)
    yield from _elements(block, path, 25, objects.IN_ACTIONS)


def _elements(block: Body, path: str, most: int, allowed: set[str]) -> Problems:
    elements = block.get("elements")
    yield from objects.items(elements, f"{path}/elements", most)
    for number, element in enumerate(objects.listed(elements)):
        yield from objects.element(element, f"{path}/elements/{number}", allowed)


def _context(block: Body, path: str) -> Problems:
    elements = block.get("elements")
    yield from objects.unknown_keys(block, {"type", "block_id", "elements"}, path)
    yield from objects.items(elements, f"{path}/elements", 10)
    for number, element in enumerate(objects.listed(elements)):
        here = f"{path}/elements/{number}"
        if isinstance(element, dict) and element.get("type") == "image":
            yield from objects.image(element, here)
        else:
            yield from objects.text_object(element, here, 3000)


def _header(block: Body, path: str) -> Problems:
    yield from objects.unknown_keys(block, {"type", "block_id", "text", "level"}, path)
    yield from objects.text_object(block.get("text"), f"{path}/text", 150, PLAIN)


def _divider(block: Body, path: str) -> Problems:
    yield from objects.unknown_keys(block, {"type", "block_id"}, path)


def _image(block: Body, path: str) -> Problems:
    yield from objects.image(block, path)
    yield from objects.optional_text(block, "title", path, 2000)


def _input(block: Body, path: str) -> Problems:
    known = {"type", "block_id", "label", "element", "hint", "optional", "dispatch_action"}
    yield from objects.unknown_keys(block, known, path)
    yield from objects.text_object(block.get("label"), f"{path}/label", 2000, PLAIN)
    yield from objects.optional_text(block, "hint", path, 2000)
    yield from objects.element(block.get("element"), f"{path}/element", objects.IN_INPUT)


def _markdown(block: Body, path: str) -> Problems:
    yield from objects.unknown_keys(block, {"type", "block_id", "text"}, path)
    text = block.get("text")
    if not isinstance(text, str) or not text:
        yield "must be more than 0 characters", f"{path}/text"


def _context_actions(block: Body, path: str) -> Problems:
    yield from _elements(block, path, 5, {"feedback_buttons", "icon_button"})


RICH_PARTS = {"rich_text_section", "rich_text_preformatted", "rich_text_quote", "rich_text_list"}
RICH_ELEMENTS = {
    "text": "text", "link": "url", "user": "user_id", "channel": "channel_id", "date": "timestamp",
    "emoji": "name", "usergroup": "usergroup_id", "broadcast": "range",
}  # fmt: skip
"""What an element of rich text must have, by its type."""


def _rich_text(block: Body, path: str) -> Problems:
    yield from objects.unknown_keys(block, {"type", "block_id", "elements"}, path)
    yield from objects.items(block.get("elements"), f"{path}/elements", 1000)
    for number, part in enumerate(objects.listed(block.get("elements"))):
        here = f"{path}/elements/{number}"
        if part.get("type") not in RICH_PARTS:
            yield f"unsupported type: {part.get('type')}", here
        yield from objects.items(part.get("elements"), f"{here}/elements", 1000)
        for place, element in enumerate(objects.listed(part.get("elements"))):
            yield from _rich_element(element, f"{here}/elements/{place}")


def _rich_element(element: Body, path: str) -> Problems:
    needed = RICH_ELEMENTS.get(element.get("type"))  # type: ignore[arg-type]
    if element.get("type") == "rich_text_section":  # of a list
        return
    if needed is None:
        yield f"unsupported type: {element.get('type')}", path
    elif not element.get(needed):
        yield f"missing required field: {needed}", path


def _table(block: Body, path: str) -> Problems:
    rows = block.get("rows")
    yield from objects.items(rows, f"{path}/rows", 100)
    for number, row in enumerate(objects.listed(rows)):
        yield from objects.items(row, f"{path}/rows/{number}", 20)


def _task_card(block: Body, path: str) -> Problems:
    for key in ("task_id", "title"):
        yield from objects.string(block.get(key), f"{path}/{key}", 3000)
    if block.get("status", "pending") not in ("pending", "in_progress", "complete", "error"):
        yield "must be one of pending, in_progress, complete, error", f"{path}/status"


def _plan(block: Body, path: str) -> Problems:
    yield from objects.string(block.get("title"), f"{path}/title", 3000)
    for number, task in enumerate(objects.listed(block.get("tasks"))):
        yield from _task_card(task, f"{path}/tasks/{number}")


def _unchecked(_block: Body, _path: str) -> Problems:
    yield from ()


CHECKS: dict[str, Callable[[Body, str], Problems]] = {
    "section": _section,
    "actions": _actions,
    "context": _context,
    "header": _header,
    "divider": _divider,
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "context_actions": _context_actions,
    "rich_text": _rich_text,
    "table": _table,
    "task_card": _task_card,
    "plan": _plan,
    "file": _unchecked,
    "video": _unchecked,
}


def texts(value: Json) -> Iterator[str]:
    """Every visible text in blocks, in reading order."""
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, dict) and value.get("type") == "rich_text":
        yield "\n".join(map(_rich_words, value["elements"]))
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in ("text", "title") and isinstance(each, str):
                yield each
            elif isinstance(each, dict | list):
                yield from texts(each)


def _rich_words(part: Body) -> str:
    """Rich text as a person would type it: bold words between asterisks, quoted lines behind `>`."""
    words = "".join(map(_rich_word, part["elements"]))
    if part["type"] == "rich_text_quote":
        words = "\n".join(f">{line}" for line in words.split("\n"))
    return words


def _rich_word(element: Body) -> str:
    match element["type"]:
        case "user":
            return f"<@{element['user_id']}>"
        case "channel":
            return f"<#{element['channel_id']}>"
        case "date":
            return f"<!date^{element['timestamp']}^{element['format']}|{element.get('fallback', '')}>"
        case "link":
            label = element.get("text", element["url"])
            return str(label) if label == element["url"] else f"<{element['url']}|{label}>"
        case _:
            mark = "*" if element.get("style", {}).get("bold") else ""
            return f"{mark}{element.get('text', '')}{mark}"


def _details(problems: list[tuple[str, str]], listed_as: str | None) -> Body:
    messages = [f"[ERROR] {message} [json-pointer:{pointer}]" for message, pointer in problems]
    details: Body = {"response_metadata": {"messages": messages}}
    if listed_as:
        details[listed_as] = [f"{message} [json-pointer:{pointer}]" for message, pointer in problems]
    return details
