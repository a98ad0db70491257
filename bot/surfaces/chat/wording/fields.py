"""Fields of forms, in steps: what people see and fill in, and what they filled in as it is validated. Pure.

Inputs of crews and questions of kind `form` share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from bot.core.fields import Field, FieldType
from bot.core.forms import MAX_CHOICE_UNITS, default_of, parse
from bot.core.locales import Locale
from bot.core.text import valid, visible
from bot.surfaces.chat import actions, elements
from bot.surfaces.chat.elements import Option
from bot.surfaces.chat.lines import Bold, Untrusted
from bot.surfaces.chat.messages import Block, Frame, Limits, Paragraph
from bot.surfaces.chat.shortening import length, short

STEP_FIELDS = 6
"""More fields than people see at once without scrolling are asked in several steps."""
ERROR_CHARACTERS = 150
NO_ANSWER = "-"
"""The option that leaves a choice empty. The others are numbered."""

_WIDGETS = {
    FieldType.STRING: elements.FieldType.LINE,
    FieldType.TEXT: elements.FieldType.TEXT,
    FieldType.INTEGER: elements.FieldType.INTEGER,
    FieldType.NUMBER: elements.FieldType.NUMBER,
    FieldType.BOOLEAN: elements.FieldType.CHOICE,
    FieldType.CHOICE: elements.FieldType.CHOICE,
    FieldType.MULTI_CHOICE: elements.FieldType.MULTI_CHOICE,
    FieldType.DATE: elements.FieldType.DATE,
    FieldType.TIME: elements.FieldType.TIME,
    FieldType.DATETIME: elements.FieldType.DATETIME,
    FieldType.EMAIL: elements.FieldType.EMAIL,
    FieldType.URL: elements.FieldType.URL,
    FieldType.FILE: elements.FieldType.FILE,
}
_CHOSEN = frozenset({FieldType.BOOLEAN, FieldType.CHOICE, FieldType.MULTI_CHOICE, FieldType.FILE})
"""Types whose fields show only what they offer; what was typed into others is shown again."""
_YES, _NO = Option("Yes", "yes"), Option("No", "no")

Values = Mapping[str, JsonValue]


def steps(fields: Sequence[Field]) -> tuple[tuple[Field, ...], ...]:
    """The fields, in groups that are asked one after the other."""
    starts = range(0, max(len(fields), 1), STEP_FIELDS)
    return tuple(tuple(fields[start : start + STEP_FIELDS]) for start in starts)


def step_of(fields: Sequence[Field], names: Mapping[str, object]) -> int:
    """The first step with one of these fields; the first of all if there is none."""
    groups = enumerate(steps(fields))
    return next((at for at, group in groups if any(field.name in names for field in group)), 0)


# ── what people see ─────────────────────────────────────────────────────────────────────────────────────────


def blocks(fields: Sequence[Field], values: Values, limits: Limits, locale: Locale) -> list[Block]:
    """A labelled field for each one, filled with these values, or else with its default."""
    return [block for field in fields for block in _blocks(field, values, limits, locale)]


def _blocks(field: Field, values: Values, limits: Limits, locale: Locale) -> list[Block]:
    if field.type is FieldType.FILE:
        return [_file(field, values, limits)]
    given = values.get(field.name)
    widget = elements.Input(
        name=actions.input_field(field.name),
        action=actions.FIELD_CHANGED,
        label=field.title,
        type=_widget(field, locale),
        hint=field.description,
        required=field.required,
        value=_shown(field, default_of(field) if given is None else given, locale),
        options=_options(field, limits),
        live=True,
    )
    if not _listed(field, limits):
        return [widget]
    offered = (short(each, MAX_CHOICE_UNITS) for each in field.choices[: limits.options])
    choices = "\n".join(f"{number}. {each}" for number, each in enumerate(offered, start=1))
    heading = Paragraph((Untrusted(field.title, style="bold", suffix=":"),))
    return [heading, Frame(choices), widget]


def _file(field: Field, values: Values, limits: Limits) -> Block:
    """The field for a file; where there are none, what to do instead."""
    if not limits.files:
        title = Untrusted(field.title, style="bold", suffix=":")
        return Paragraph((title, " files can't be given here. Start this crew in the console."))
    has_file = bool(values.get(field.name))
    hint = "A file is uploaded. Choose another one to replace it. " if has_file else ""
    return elements.Input(
        name=actions.input_field(field.name),
        action=actions.FIELD_CHANGED,
        label=field.title,
        type=elements.FieldType.FILE,
        hint=f"{hint}{field.description}",
        required=field.required and not has_file,
        accept=field.accept,
    )


def _widget(field: Field, locale: Locale) -> elements.FieldType:
    if field.type is FieldType.NUMBER and locale.decimal_comma:
        return elements.FieldType.LINE  # Fields for numbers take a decimal point only.
    return _WIDGETS[field.type]


def _listed(field: Field, limits: Limits) -> bool:
    """Whether an option can't hold one of the choices, so that they are listed in full above."""
    most = limits.label_units
    return any(len(each) > most or length(visible(each)) > most or "\n" in each for each in field.choices)


def _options(field: Field, limits: Limits) -> tuple[Option, ...]:
    match field.type:
        case FieldType.BOOLEAN:
            offered: tuple[Option, ...] = (_YES, _NO)
        case FieldType.CHOICE | FieldType.MULTI_CHOICE:
            numbered = _listed(field, limits)
            offered = tuple(
                Option(f"{number + 1}. {label}" if numbered else label, str(number))
                for number, label in enumerate(field.choices)
            )
        case _:
            return ()
    # What was chosen in a select can't be taken back otherwise.
    leaves = field.type is not FieldType.MULTI_CHOICE and not field.required
    return (*offered, Option("No answer", NO_ANSWER)) if leaves and len(offered) < limits.options else offered


def _shown(field: Field, value: JsonValue, locale: Locale) -> str:
    """The value as its field shows it; text that is no such value as it was typed."""
    if value is None or value == "":
        return ""
    try:
        read = parse(_unbounded(field), value, locale=locale)
    except ValueError:
        return "" if field.type in _CHOSEN else valid(str(value))
    match field.type:
        case FieldType.BOOLEAN:
            return "yes" if read else "no"
        case FieldType.CHOICE | FieldType.MULTI_CHOICE:
            chosen = read if isinstance(read, list) else [read]
            return ",".join(str(at) for at, each in enumerate(field.choices) if each in chosen)
        case FieldType.NUMBER if locale.decimal_comma:
            return str(read).replace(".", ",")
        case _:
            return str(read)


def _unbounded(field: Field) -> Field:
    """The field without its bounds: what is out of them is shown as it was typed."""
    return field.model_copy(update=dict.fromkeys(("min", "max", "min_length", "max_length")))


def in_words(field: Field, values: Values) -> str:
    """The value, or else the default, in a few words; empty if there is none."""
    value = values.get(field.name)
    value = default_of(field) if value is None else value
    if field.type is FieldType.FILE:
        return "uploaded" if value else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


# ── what they filled in ─────────────────────────────────────────────────────────────────────────────────────


def submitted(fields: Sequence[Field], sent: Mapping[str, str], locale: Locale) -> dict[str, JsonValue]:
    """What was filled in, by field, for `bot.core.forms.validate`; an empty text where one was left empty."""
    return {
        field.name: _read(field, sent.get(actions.input_field(field.name), ""), locale) for field in fields
    }


def _read(field: Field, sent: str, locale: Locale) -> JsonValue:
    match field.type:
        case FieldType.CHOICE:
            return next(iter(_chosen(field, sent)), "")
        case FieldType.MULTI_CHOICE:
            return [*_chosen(field, sent)]
        case FieldType.BOOLEAN if sent == NO_ANSWER:
            return ""
        case FieldType.DATETIME if sent.isascii() and sent.isdigit():
            return _moment(int(sent), locale)
        case _:
            return sent


def _chosen(field: Field, sent: str) -> list[str]:
    """The choices that these options stand for; none for what a newer or older release sent."""
    numbers = {int(each) for each in sent.split(",") if each.isascii() and each.isdigit()}
    return [choice for number, choice in enumerate(field.choices) if number in numbers]


def _moment(seconds: int, locale: Locale) -> str:
    """Seconds since the epoch, in the person's time zone."""
    try:
        return datetime.fromtimestamp(seconds, locale.zone or UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return ""


def errors(fields: Sequence[Field], problems: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with these fields, by what they are called in the form."""
    return {
        actions.input_field(field.name): f"{field.title} {problems[field.name]}"[:ERROR_CHARACTERS]
        for field in fields
        if field.name in problems
    }


def wrong(fields: Sequence[Field], problems: Mapping[str, str]) -> list[Block]:
    """What is wrong with these fields, to stand above them where a form can't say it at each one."""
    return [
        Paragraph((Bold("⚠ "), Untrusted(f"{field.title} {problems[field.name]}", style="plain")))
        for field in fields
        if field.name in problems
    ]
