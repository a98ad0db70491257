"""Edits at the terminal: a review's text, or the arguments of a call that may be edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pydantic import JsonValue

from bot.core.json_text import NotExact, read_json
from bot.terminal import decisions
from bot.terminal.decisions import same, written
from crewdeck.client import Question, ToolCall

if TYPE_CHECKING:
    # Commands into a pipe do without its library, which takes a tenth of a second.
    from bot.terminal.screen import Screen

APPROVE_EDITED = "Approve with these changes"
BACK = "Back, without changes"


class Edit(NamedTuple):
    """What was edited: a review's text, or the changed arguments of a call."""

    value: str | None = None
    arguments: dict[str, JsonValue] | None = None


def can_edit(question: Question) -> bool:
    """Whether an approval may change what is approved."""
    return question.kind == "review" or bool(question.action and question.action.editable)


async def edit(screen: Screen, question: Question) -> Edit | None:
    """Let the person edit what they approve; None if they go back. Raises Withdrawn, Interrupted."""
    if question.action is not None:
        return await _edit_call(screen, question.action)
    return await _edit_text(screen, question.context)


async def _edit_text(screen: Screen, before: str) -> Edit | None:
    after = await screen.words(
        "text", default=before, check=lambda text: "" if text else "Nothing is written"
    )
    if after == before.strip():
        return None
    screen.say(*decisions.difference(before, after))
    return Edit(value=after) if await _confirmed(screen) else None


async def _edit_call(screen: Screen, action: ToolCall) -> Edit | None:
    changed: dict[str, JsonValue] = {}
    at = 0
    while True:
        now = {**action.arguments, **changed}
        listed = [_choice(action, name, now.get(name), changed=name in changed) for name in action.editable]
        at = await screen.choose([*listed, APPROVE_EDITED, BACK], "Which argument?", at)
        if at == len(listed) + 1 or (at == len(listed) and not changed):
            return None
        if at == len(listed):
            return Edit(arguments=changed)
        name = action.editable[at]
        value = await _ask_value(screen, action, name, now.get(name))
        changed.pop(name, None)
        if not same(value, action.arguments.get(name)):
            changed[name] = value
            screen.say(*decisions.changes(action, {name: value}))


def _choice(action: ToolCall, name: str, value: JsonValue, *, changed: bool) -> str:
    words = " ".join(decisions.value_of(action, name, value).split())
    return f"{name}: {words[:60]}{'…' if len(words) > 60 else ''}{' (changed)' if changed else ''}"  # noqa: PLR2004


async def _ask_value(screen: Screen, action: ToolCall, name: str, now: JsonValue) -> JsonValue:
    parse = parser(action, name)

    def check(text: str) -> str:
        try:
            parse(text)
        except ValueError as error:
            return str(error)
        return ""

    words = await screen.words(name, default=written(now), check=check)
    # What is typed has no spaces at its ends, and is no edit for that alone.
    return now if words == written(now).strip() else parse(words)


def parser(action: ToolCall, name: str) -> Callable[[str], JsonValue]:
    """How an argument is written: texts as they are, anything else as JSON. It raises ValueError."""
    properties = action.parameters.get("properties")
    schema = properties.get(name) if isinstance(properties, dict) else None
    kind = schema.get("type") if isinstance(schema, dict) else None
    text = kind == "string" or (kind is None and isinstance(action.arguments.get(name), str))
    return _as_text if text else _as_json


def _as_text(words: str) -> JsonValue:
    return words


def _as_json(words: str) -> JsonValue:
    try:
        return read_json(words)
    except NotExact:
        raise
    except ValueError:
        raise ValueError("This is no JSON: a number, true, false, null, a list or an object") from None


async def _confirmed(screen: Screen) -> bool:
    return await screen.choose([APPROVE_EDITED, BACK]) == 0
