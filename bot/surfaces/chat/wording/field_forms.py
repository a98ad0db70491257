"""Forms of typed fields: a crew's inputs, and questions of kind `form`. Pure.

Their steps, what people see in each, and what they filled in as it is validated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from bot.core.forms import validation
from bot.core.forms.fields import Field, FieldType
from bot.core.forms.validation import MAX_CHOICE_UNITS, default_of, parse
from bot.core.locales import Locale
from bot.core.questions.question import Question
from bot.core.runs.crew import Crew
from bot.core.text import valid, visible
from bot.surfaces.chat import actions, messages
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.formatted_text import Bold, Untrusted
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Button,
    Form,
    Frame,
    Limits,
    Notice,
    Option,
    Paragraph,
    PlainText,
    Quote,
    SmallPrint,
)
from bot.surfaces.chat.shortening import length, short
from bot.surfaces.chat.wording import question_messages

STEP_FIELDS = 6
"""More fields than people see at once without scrolling are asked in several steps."""
ERROR_CHARACTERS = 150
PROMPT_CHARACTERS = 3000
"""How much of a question's prompt, and of its context, stands above its fields."""
REST_UNITS = 600
"""How much of the fields of further steps is shown."""
NO_ANSWER = "-"
"""The option that leaves a choice empty. The others are numbered."""

_WIDGETS = {
    FieldType.STRING: messages.FieldType.LINE,
    FieldType.TEXT: messages.FieldType.TEXT,
    FieldType.INTEGER: messages.FieldType.INTEGER,
    FieldType.NUMBER: messages.FieldType.NUMBER,
    FieldType.BOOLEAN: messages.FieldType.CHOICE,
    FieldType.CHOICE: messages.FieldType.CHOICE,
    FieldType.MULTI_CHOICE: messages.FieldType.MULTI_CHOICE,
    FieldType.DATE: messages.FieldType.DATE,
    FieldType.TIME: messages.FieldType.TIME,
    FieldType.DATETIME: messages.FieldType.DATETIME,
    FieldType.EMAIL: messages.FieldType.EMAIL,
    FieldType.URL: messages.FieldType.URL,
    FieldType.FILE: messages.FieldType.FILE,
}
_CHOSEN = frozenset({FieldType.BOOLEAN, FieldType.CHOICE, FieldType.MULTI_CHOICE, FieldType.FILE})
"""Types whose fields show only what they offer; what was typed into others is shown again."""
_YES, _NO = Option("Yes", "yes"), Option("No", "no")

Values = Mapping[str, JsonValue]


def steps(fields: Sequence[Field]) -> tuple[tuple[Field, ...], ...]:
    """The fields, in groups that are asked one after the other."""
    starts = range(0, max(len(fields), 1), STEP_FIELDS)
    return tuple(tuple(fields[start : start + STEP_FIELDS]) for start in starts)


def first_step_with(fields: Sequence[Field], names: Mapping[str, object]) -> int:
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
    widget = messages.Input(
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
    return messages.Input(
        name=actions.input_field(field.name),
        action=actions.FIELD_CHANGED,
        label=field.title,
        type=messages.FieldType.FILE,
        hint=f"{hint}{field.description}",
        required=field.required and not has_file,
        accept=field.accept,
    )


def _widget(field: Field, locale: Locale) -> messages.FieldType:
    if field.type is FieldType.NUMBER and locale.decimal_comma:
        return messages.FieldType.LINE  # Fields for numbers take a decimal point only.
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
    """What was filled in, by field, for `validation.validate`; an empty text where one was left empty."""
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


# ── the form, a step at a time ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class FormState:
    """A form while somebody fills it in."""

    fields: tuple[Field, ...]
    #: What they gave so far, by field.
    values: Mapping[str, JsonValue]
    locale: Locale
    #: The step that is shown, from 0.
    step: int = 0
    #: What is wrong with fields of this step, to be said above them.
    problems: Mapping[str, str] = field(default_factory=dict)
    #: It may be sent before its last step, if nothing that is needed is in the steps that follow.
    early: bool = False

    @property
    def group(self) -> tuple[Field, ...]:
        """The fields of this step; none if there is no such step."""
        groups = steps(self.fields)
        return groups[self.step] if self.step < len(groups) else ()

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(steps(self.fields))

    @property
    def rest(self) -> tuple[Field, ...]:
        """The fields of the steps that follow."""
        return tuple(each for group in steps(self.fields)[self.step + 1 :] for each in group)

    @property
    def is_last(self) -> bool:
        """Whether the form is sent from this step."""
        needed = (each for each in self.rest if each.required and each.default is None)
        return not self.rest or (
            self.early and not any(validation.blank(self.values.get(each.name)) for each in needed)
        )

    def at_first_of(self, problems: Mapping[str, str]) -> FormState:
        """The first step with one of these problems."""
        return replace(self, step=first_step_with(self.fields, problems), problems=problems)


def shown_step(metadata: Target) -> int:
    """The step that a form's metadata names, from 0."""
    return int(metadata.option_id) if metadata.option_id.isascii() and metadata.option_id.isdigit() else 0


def start_form(crew: Crew, draft_id: str, state: FormState, limits: Limits) -> Form:
    """A step of the form for a crew's inputs. Its `metadata` is a Target: the `draft_id`, and the step."""
    about = PlainText(crew.description.strip() or "What the crew needs to know:")
    whole = Form(f"Start {crew.title}", (about,), callback=actions.START, submit="Start")
    return _step(whole, Target(draft_id), state, limits)


def question_form(question: Question, state: FormState, limits: Limits) -> Form:
    """A step of a question's form. Its `metadata` is a Target: the question as it was shown, and the step."""
    about: list[Block] = [
        SmallPrint(((question_messages.THE_CREW_WRITES,),)),
        Quote(question.prompt[:PROMPT_CHARACTERS]),
    ]
    if question.context.strip():
        about.append(Frame(question.context[:PROMPT_CHARACTERS]))
    if max(len(question.prompt), len(question.context)) > PROMPT_CHARACTERS:
        about.append(Notice(("This is only the beginning: the question's message has all of it.",)))
    whole = Form("Fill in", tuple(about), callback=actions.FORM, submit="Send")
    return _step(whole, Target(question.run_id, question.id, digest=question.digest), state, limits)


def _step(whole: Form, target: Target, state: FormState, limits: Limits) -> Form:
    """One step. What the form says above its fields is in the first one only."""
    metadata = replace(target, option_id=str(state.step) if state.step else "").encode()
    above: list[Block] = [] if state.step else [*whole.blocks]
    if state.steps > 1:
        above.append(SmallPrint(((f"Step {state.step + 1} of {state.steps}",),)))
    return replace(
        whole,
        blocks=(
            *above,
            *wrong(state.group, state.problems),
            *blocks(state.group, state.values, limits, state.locale),
            *_other_steps(state, metadata),
        ),
        metadata=metadata,
        submit=whole.submit if state.is_last else "Next",
    )


def _other_steps(state: FormState, metadata: str) -> list[Block]:
    """The ways to the other steps; and what those hold that needn't be looked at."""
    blocks: list[Block] = []
    buttons = (
        [Button("Back", actions.PREVIOUS_STEP, metadata, "Back to the former step")] if state.step else []
    )
    if state.rest and state.is_last:
        rest = [f"{each.title}: {in_words(each, state.values) or '-'}" for each in state.rest]
        blocks.append(
            SmallPrint((("In the next step, if you like:",),), (Untrusted("; ".join(rest), REST_UNITS),))
        )
        buttons.append(Button("More...", actions.NEXT_STEP, metadata, "Go to the next step"))
    return [*blocks, Actions(tuple(buttons))] if buttons else blocks
