"""Forms at the terminal: each field by its type, then all of them once more before they are sent."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import JsonValue

from bot.core.forms import validation
from bot.core.forms.fields import Field
from bot.terminal.decisions import written
from bot.terminal.screen import Screen
from crewdeck.client import InputField, Question

SEND = "Send"
DECLINE = "Decline"
EMPTY = "(leave it empty)"
YES, NO = "Yes", "No"

Values = dict[str, JsonValue]


async def fill_in(screen: Screen, question: Question, draft: Values) -> Values | None:
    """Let the person fill in a form; None if they decline it. Raises Withdrawn, Interrupted.

    `draft` gets what was filled in as it is, so that nothing is lost when the form is asked again.
    """
    for field in question.fields:
        if field.name not in draft:
            await _ask(screen, field, draft)
    at = len(question.fields)
    while True:
        listed = [f"{_title(field)}: {_in_short(draft.get(field.name))}" for field in question.fields]
        at = await screen.choose([*listed, SEND, DECLINE], "As it will be sent", at)
        if at == len(listed):
            return {name: value for name, value in draft.items() if value is not None}
        if at > len(listed):
            return None
        await _ask(screen, question.fields[at], draft)
        at = len(question.fields)


async def _ask(screen: Screen, field: InputField, draft: Values) -> None:
    optional = "" if field.required else " (optional)"
    about = " ".join(filter(None, (field.description, _bounds(field))))
    screen.say([("bold", f"  {_title(field)}"), ("ansibrightblack", f"{optional}  {about}".rstrip())])
    draft[field.name] = await _value(screen, field, draft.get(field.name, field.default))
    screen.say([("ansigreen", "  ✓ "), ("", _in_short(draft[field.name]))])


async def _value(screen: Screen, field: InputField, now: JsonValue) -> JsonValue:
    if field.type == "boolean":
        return await _choose(screen, field, {YES: True, NO: False}, now)
    if field.type == "choice":
        return await _choose(screen, field, {choice: choice for choice in field.choices}, now)
    if field.type == "multi_choice":
        return await _choose_several(screen, field, now)
    words = await screen.words(
        _title(field),
        several_lines=field.type == "text",
        default="" if now is None else written(now),
        check=checker(field),
    )
    return parsed(field, words)


async def _choose(
    screen: Screen, field: InputField, values: dict[str, JsonValue], now: JsonValue
) -> JsonValue:
    labels = [*values, *([] if field.required else [EMPTY])]
    known = [label for label, value in values.items() if value == now]
    chosen = labels[await screen.choose(labels, first=labels.index(known[0]) if known else 0)]
    return values.get(chosen)


async def _choose_several(screen: Screen, field: InputField, now: JsonValue) -> JsonValue:
    chosen = {each for each in now if isinstance(each, str)} if isinstance(now, list) else set()
    at = 0
    while True:
        listed = [f"[{'x' if choice in chosen else ' '}] {choice}" for choice in field.choices]
        at = await screen.choose([*listed, "Done"], "Choose, then Done", at)
        if at < len(listed):
            chosen ^= {field.choices[at]}
            continue
        value: JsonValue = [choice for choice in field.choices if choice in chosen]
        if not (wrong := problem(field, value)):
            return value
        screen.say([("ansired", f"  {wrong}")])


def checker(field: InputField) -> Callable[[str], str]:
    """What is wrong with words for this field, or ""."""
    return lambda words: problem(field, words)


def problem(field: InputField, value: JsonValue) -> str:
    """What is wrong with a value as people give it, or ""."""
    empty = validation.blank(value) or value == []
    if empty:
        return "A value is needed" if field.required else ""
    try:
        validation.parse(_core(field), value)
    except ValueError as error:
        return f"It {error}"
    return ""


def parsed(field: InputField, words: str) -> JsonValue:
    """The value that these words are, which were checked; None if there are none."""
    return None if validation.blank(words) else validation.parse(_core(field), words)


def _core(field: InputField) -> Field:
    return Field.model_validate(field.model_dump())


def _title(field: InputField) -> str:
    return field.label or field.name.replace("_", " ").capitalize()


def _in_short(value: JsonValue) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return YES if value else NO
    words = ", ".join(map(str, value)) if isinstance(value, list) else " ".join(written(value).split())
    return words if len(words) <= 60 else f"{words[:59]}…"  # noqa: PLR2004


def _bounds(field: InputField) -> str:
    unit = "choices" if field.type == "multi_choice" else "characters"
    said = [
        f"from {field.min}" if field.min is not None else "",
        f"to {field.max}" if field.max is not None else "",
        f"at least {field.min_length} {unit}" if field.min_length else "",
        f"at most {field.max_length} {unit}" if field.max_length is not None else "",
    ]
    return " ".join(filter(None, said))
