"""Forms of decisions: the reason of a rejection, and the edit of what is approved. Pure.

A form holds only what may be edited, each argument in a field of its parameter's type. What a field can't
hold completely isn't offered: a shortened text would replace the whole one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from bot.core.forms.validation import MAX_NAME_LENGTH
from bot.core.json_text import NotExact, read_json, value_text
from bot.core.questions.question import Question, QuestionKind
from bot.core.questions.tool_call import ToolCall, sha256_of
from bot.core.text import visible
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.formatted_text import Command, Untrusted
from bot.surfaces.chat.messages import (
    Block,
    FieldType,
    Form,
    Frame,
    Input,
    Limits,
    Message,
    Option,
    Paragraph,
    Quote,
    text_message,
)
from bot.surfaces.chat.shortening import length, truncate
from bot.surfaces.chat.wording import gates
from bot.surfaces.chat.wording.policies import listed

PROMPT_UNITS = 1500
FORM_BLOCKS = 3
"""What stands in a form besides its fields."""
LONG_LINE_UNITS = 80
"""A text of more units, or of several lines, gets a field of several lines."""
WHOLE_FORM = ""
"""The field at which something is said that concerns all of a form."""
TEXT_FIELD = f"{actions.EDITED_FIELD_PREFIX}text"
_ARGUMENT = f"{actions.EDITED_FIELD_PREFIX}argument."
IS_TEXT = "What stands here is a text, also if it looks like a number."
KEEPS_ENDS = "There are spaces or line ends around it, which only the console can remove alone."
_BOOLEANS = {"yes": True, "no": False}
EMPTY: Mapping[str, JsonValue] = {}


def reject_form(question: Question) -> Form:
    """The form for the reason of a rejection."""
    verb = "Decline" if question.kind is QuestionKind.FORM else "Reject"
    reason = Input(
        name=actions.REPLY_FIELD,
        label="Why?",
        type=FieldType.TEXT,
        hint="It is passed on to the crew.",
        required=False,
    )
    return Form(verb, (_about(question), reason), actions.REJECT, _target(question), submit=verb)


def edit_form(question: Question, limits: Limits) -> Form | None:
    """The form with what an approval may change; None if a field can't hold any of it."""
    fields = _fields(question, limits)
    if not fields:
        return None
    return Form(
        "Edit and approve",
        (_about(question), *_left_out(question, limits), *fields),
        actions.EDIT,
        _target(question),
        submit="Approve",
    )


def too_long_to_edit(platform: str) -> Message:
    """Instead of a form that could not hold the text."""
    return text_message(
        f"This is too long to be edited in {platform}. The console can do that: ", Command("console"), "."
    )


def _target(question: Question) -> str:
    return Target(question.run_id, question.id, digest=question.digest).encode()


def _about(question: Question) -> Block:
    if question.call is not None:
        return Paragraph(gates.headline(question.call))
    return Quote(truncate(question.prompt, PROMPT_UNITS))


def _fields(question: Question, limits: Limits) -> list[Block]:
    if question.call is not None:
        return [block for blocks in _offered(question.call, limits).values() for block in blocks]
    if not _fits(question.context, limits):
        return []
    text = question.context
    return [Input(TEXT_FIELD, "The text that you approve", FieldType.TEXT, hint=_of_ends(text), value=text)]


def _left_out(question: Question, limits: Limits) -> list[Block]:
    call = question.call
    if call is None:
        return []
    offered = _offered(call, limits)
    names = [name for name in _editable(call) if name not in offered]
    if not names:
        return []
    shown = listed([(Untrusted(name, gates.NAME_UNITS),) for name in names], "and")
    return [Paragraph((*shown, " can be edited in the console only: a form is too small for it."))]


def _offered(call: ToolCall, limits: Limits) -> dict[str, list[Block]]:
    """The fields of the arguments that a form holds, the first ones if it can't hold all, by argument."""
    offered: dict[str, list[Block]] = {}
    blocks, held = FORM_BLOCKS, 0
    for name in _editable(call):
        if not _fits_form(call, name, limits):
            continue
        field = _argument(call, name, limits)
        blocks, held = blocks + len(field), held + _bytes_of(call, name)
        if blocks > limits.fields or held > limits.form_bytes:
            break
        offered[name] = field
    return offered


def _bytes_of(call: ToolCall, name: str) -> int:
    """How much of a form an argument takes: its value, and its choices."""
    choices = _choices(_schema(call, name))
    return len(_written(call.arguments[name]).encode()) + len(_list(choices).encode())


def _editable(call: ToolCall) -> list[str]:
    return [name for name in call.arguments if name in call.editable]


def _fits_form(call: ToolCall, name: str, limits: Limits) -> bool:
    """Whether a form holds all of an argument, or offers all of its choices, each to be read in full."""
    if len(name) > MAX_NAME_LENGTH or length(name) > MAX_NAME_LENGTH:
        return False
    if not (choices := _choices(_schema(call, name))):
        return _fits(call.arguments[name], limits)
    return len(choices) <= limits.options and length(visible(_list(choices))) <= limits.list_units


def _fits(value: JsonValue, limits: Limits) -> bool:
    text = _written(value)
    return len(text) <= limits.typed_units and length(text) <= limits.typed_units


def _list(choices: Sequence[JsonValue]) -> str:
    """Choices in full, numbered. Lines are indented, so that none can look like another choice."""
    lines = (value_text(each).replace("\n", "\n    ") for each in choices)
    return "\n".join(f"{number}. {each}" for number, each in enumerate(lines, start=1))


# ── arguments as fields ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Edited:
    """What somebody filled in: the changed arguments or the text, and what is wrong, by field."""

    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    text: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


def edited(question: Question, submitted: Mapping[str, str]) -> Edited:
    """What a submitted form changes. Fields that hold what was there before are no change."""
    if question.call is None:
        text = submitted.get(TEXT_FIELD, "")
        return Edited(text=None if _same_words(text, question.context) else text)
    changed: dict[str, JsonValue] = {}
    errors: dict[str, str] = {}
    for name in _editable(question.call):
        if argument_field(name) not in submitted:
            continue
        try:
            value = _read(question.call, name, submitted[argument_field(name)])
        except ValueError as error:
            errors[argument_field(name)] = str(error)
        else:
            typed = not _choices(_schema(question.call, name))
            if not _same(value, question.call.arguments[name], typed=typed):
                changed[name] = value
    return Edited(arguments=changed, errors=errors)


def _same(submitted: JsonValue, before: JsonValue, *, typed: bool) -> bool:
    if typed and isinstance(submitted, str) and isinstance(before, str):
        return _same_words(submitted, before)
    return sha256_of(submitted) == sha256_of(before)


def _same_words(submitted: str, before: str) -> bool:
    """Fields drop spaces at the ends and have line ends of their own, whether or not somebody edits.

    Those that weren't there before are somebody's edit; that none can be removed is said at the field.
    """
    one, other = submitted.replace("\r\n", "\n"), before.replace("\r\n", "\n")
    return one in {other, other.lstrip(), other.rstrip(), other.strip()}


def argument_field(name: str) -> str:
    """The field of an argument, in which also is said what is wrong with it."""
    return f"{_ARGUMENT}{name}"


def at_fields(errors: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """The store's objections by field of the form; what concerns no field of it, under `WHOLE_FORM`."""
    found: dict[str, str] = {}
    for name, why in errors.items():
        at = argument_field(name) if argument_field(name) in known else TEXT_FIELD if name == "value" else ""
        found[at if at in known else WHOLE_FORM] = f"{name} {why}"
    return found


def _argument(call: ToolCall, name: str, limits: Limits) -> list[Block]:
    """An argument's field; above it its choices in full, where an option can't hold one of them."""
    value, schema = call.arguments[name], _schema(call, name)
    kind, options = _kind(schema, value)
    label = str(schema.get("title") or name)
    listed_above = any(
        "\n" in each.label or length(visible(each.label)) > limits.label_units for each in options
    )
    if listed_above:
        options = tuple(Option(f"{at}. {each.label}", each.value) for at, each in enumerate(options, start=1))
    field = Input(
        argument_field(name),
        label,
        kind,
        hint=_hint(call, name, str(schema.get("description") or "")),
        # What is nothing may stay so: nobody has to change it to edit something else.
        required=kind not in {FieldType.TEXT, FieldType.LINE} and value is not None,
        value=_chosen(schema, value) if options else _written(value),
        options=options,
    )
    if not listed_above:
        return [field]
    return [Paragraph((Untrusted(label, style="bold", suffix=":"),)), Frame(_list(_choices(schema))), field]


def _hint(call: ToolCall, name: str, description: str) -> str:
    """The author's words, what is typed where that could be a text or something else, and what isn't seen."""
    value = call.arguments[name]
    if _choices(_schema(call, name)) or not isinstance(value, str):
        return description
    is_text = "" if call.is_text(name) else IS_TEXT
    return " ".join(filter(None, (is_text, _of_ends(value), description)))


def _of_ends(text: str) -> str:
    """What can't be done about the spaces around a text; empty if there are none."""
    return KEEPS_ENDS if text != text.strip() else ""


def _schema(call: ToolCall, name: str) -> Mapping[str, JsonValue]:
    """The parameter's schema, without the possibility of null."""
    properties = call.parameters.get("properties")
    found = properties.get(name) if isinstance(properties, dict) else None
    if not isinstance(found, dict):
        return EMPTY
    variants = found.get("anyOf")
    rest = [each for each in variants if each != {"type": "null"}] if isinstance(variants, list) else []
    if len(rest) == 1 and isinstance(rest[0], dict):
        return {**rest[0], **{key: each for key, each in found.items() if key != "anyOf"}}
    return found


def _kind(schema: Mapping[str, JsonValue], value: JsonValue) -> tuple[FieldType, tuple[Option, ...]]:
    if choices := _choices(schema):
        return FieldType.CHOICE, tuple(Option(value_text(each), str(at)) for at, each in enumerate(choices))
    match schema.get("type"):
        case "boolean":
            return FieldType.CHOICE, (Option("Yes", "yes"), Option("No", "no"))
        case "integer":
            return FieldType.INTEGER, ()
        case "number":
            return FieldType.NUMBER, ()
        case _:
            text = _written(value)
            long = "\n" in text or length(text) > LONG_LINE_UNITS or not isinstance(value, str)
            return (FieldType.TEXT if long else FieldType.LINE), ()


def _choices(schema: Mapping[str, JsonValue]) -> list[JsonValue]:
    choices = schema.get("enum")
    return choices if isinstance(choices, list) else []


def _chosen(schema: Mapping[str, JsonValue], value: JsonValue) -> str:
    """The option's value that stands for this value."""
    if choices := _choices(schema):
        return next((str(at) for at, each in enumerate(choices) if sha256_of(each) == sha256_of(value)), "")
    return ("yes" if value else "no") if isinstance(value, bool) else ""


def _written(value: JsonValue) -> str:
    """A value as it is edited: texts as they are, everything else as JSON, nothing for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _read(call: ToolCall, name: str, words: str) -> JsonValue:
    """The value that was typed or chosen. Raises ValueError, which says what is expected."""
    schema, value = _schema(call, name), call.arguments[name]
    if not words and value is None:
        return None
    if choices := _choices(schema):
        if not words.isdecimal() or int(words) >= len(choices):
            raise ValueError("Choose one of the options.")
        return choices[int(words)]
    match schema.get("type"):
        case "boolean":
            if words not in _BOOLEANS:
                raise ValueError("Choose yes or no.")
            return _BOOLEANS[words]
        case "integer" | "number" as kind:
            return _number(words, kind)
        case "string":
            return words
        case _:
            return words if isinstance(value, str) else _json(words)


def _number(words: str, kind: str) -> int | float:
    value = _json(words.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("Type a number.")  # noqa: TRY004 - the caller collects ValueErrors
    if kind == "integer" and int(value) != value:
        raise ValueError("Type a whole number.")
    return int(value) if kind == "integer" else value


def _json(words: str) -> JsonValue:
    try:
        return read_json(words)
    except NotExact:
        raise
    except ValueError:
        raise ValueError("Type it as JSON, as it was before.") from None
