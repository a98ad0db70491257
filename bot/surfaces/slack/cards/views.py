"""Modals, and reading back what people submit in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from bot.core.crew import Crew, InputField, InputKind
from bot.core.question import Question, QuestionKind
from bot.core.run import Run
from bot.core.text import valid
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.inbound import actions
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.slack.cards import asking, rich
from bot.surfaces.slack.cards.elements import (
    Block,
    context,
    input_block,
    modal,
    option,
    plain,
    section,
    select,
    verbatim,
)
from bot.surfaces.slack.cards.elements import (
    actions as row,
)
from bot.surfaces.slack.cards.mrkdwn import truncate

View = dict[str, Any]

TYPED = 3000
PROMPT = 3000
"""Units of a question's prompt above the field for its answer."""
FIELDS = 95
"""Inputs in a form; a modal takes 100 blocks."""
MOST_OPTIONS = 100


# ── an answer in words ──────────────────────────────────────────────────────────────────────────────────


def reply_form(question: Question) -> View:
    """The modal for an answer in words, or for the changes that a review asks for."""
    review = question.kind is QuestionKind.REVIEW
    element = {"type": "plain_text_input", "action_id": actions.WORDS_ACTION, "multiline": True}
    label = "What should change?" if review else "Your answer"
    hint = "" if question.kind is QuestionKind.TEXT else "Passed on as words; it never counts as an approval."
    words = input_block(actions.WORDS_BLOCK, label, element | {"max_length": TYPED}, hint=hint)
    return modal(
        "Request changes" if review else "Answer",
        [*rich.quoted(truncate(question.prompt, PROMPT)), words],
        callback_id=actions.REPLY,
        private_metadata=Target(question.run_id, question.id, digest=question.digest).encode(),
        submit=plain("Send", 24),
    )


# ── a question in full ──────────────────────────────────────────────────────────────────────────────────


def full_text(run: Run, question: Question) -> View:
    """All of a question, with the buttons that decide it at the end.

    A question that is settled has none. One that is too long for a modal is read in the thread's file.
    """
    card = question_card(run, question)
    target = Target(run.id, question.id, digest=question.digest).encode()
    if asking.fit(card) is asking.Fit.FILE:
        said = "This is too long for Slack's windows: all of it is in the file in the thread. It begins:"
        blocks = [section(said), *rich.framed(asking.full_text(card)[: asking.SHORTENED])]
    else:
        blocks = rich.framed(asking.full_text(card))
    blocks.insert(0, context(asking.WRITES))
    if question.open and (elements := asking.deciding(card)):
        blocks += [{"type": "divider"}, row(elements)]
    return modal("The whole question", blocks, callback_id=actions.FULL, private_metadata=target)


def note(title: str, text: str) -> View:
    """A modal that only says something: what became of a press in "Show all". `text` is plain."""
    return modal(title, [verbatim(text)])


# ── a crew's inputs ─────────────────────────────────────────────────────────────────────────────────────


def start_form(crew: Crew, draft_id: str, given: Mapping[str, JsonValue]) -> View:
    """A typed field for each input, filled with what is known. `private_metadata` is the `draft_id`."""
    wanted = sorted(crew.inputs, key=lambda each: not each.required)[:FIELDS]
    shown = [each for each in crew.inputs if each in wanted]
    about = crew.description.strip() or "What the crew needs to know:"
    blocks = [verbatim(about)]
    blocks += [_field(each, given.get(each.name, each.default)) for each in shown]
    return modal(
        f"Start {crew.title}",
        blocks,
        callback_id=actions.START,
        private_metadata=draft_id,
        submit=plain("Start", 24),
    )


def start_values(crew: Crew, values: Mapping[str, str]) -> dict[str, JsonValue]:
    """What was filled in, by input; fields left empty are not in it. `inputs.validate` judges it."""
    filled: dict[str, JsonValue] = {}
    for field in crew.inputs:
        value = _answered(field, values.get(actions.input_block(field.name), ""))
        if value:
            filled[field.name] = value
    return filled


def start_errors(crew: Crew, problems: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the inputs, for `response_action: errors`, by block_id."""
    fields = {field.name for field in crew.inputs}
    return {
        actions.input_block(name): f"{name} {why}"[:150] for name, why in problems.items() if name in fields
    }


def _field(field: InputField, value: JsonValue) -> Block:
    hint = field.description
    label = field.name.replace("_", " ").strip().capitalize() or field.name
    return input_block(
        actions.input_block(field.name), label, _element(field, value), hint=hint, optional=not field.required
    )


def _element(field: InputField, value: JsonValue) -> Block:
    match field.type:
        case InputKind.STRING | InputKind.TEXT:
            return _typed(value, multiline=field.type is InputKind.TEXT)
        case InputKind.INTEGER | InputKind.NUMBER:
            decimal = field.type is InputKind.NUMBER
            return _initial({"type": "number_input", "is_decimal_allowed": decimal}, "initial_value", value)
        case InputKind.BOOLEAN:
            return _chosen(["Yes", "No"], ["yes", "no"], _boolean(value))
        case InputKind.CHOICE:
            numbers = [str(number) for number, _ in enumerate(field.choices)]
            at = field.choices.index(str(value)) if value in field.choices else None
            return _chosen(list(field.choices), numbers, at)
        case InputKind.DATE:
            return _initial({"type": "datepicker"}, "initial_date", value)


def _typed(value: JsonValue, *, multiline: bool) -> Block:
    element = {"type": "plain_text_input", "multiline": multiline, "max_length": TYPED}
    known = None if value is None else truncate(valid(str(value)), TYPED)
    return _initial(element, "initial_value", known)


def _initial(element: Block, key: str, value: JsonValue) -> Block:
    known = {} if value is None or value == "" else {key: str(value)}
    return {**element, "action_id": actions.VALUE, **known}


def _boolean(value: JsonValue) -> int | None:
    return None if not isinstance(value, bool) else int(not value)


def _chosen(labels: list[str], values: list[str], at: int | None) -> Block:
    options = [option(label, value) for label, value in zip(labels, values, strict=True)][:MOST_OPTIONS]
    element = select("Choose...", actions.VALUE, options)
    return element if at is None or at >= len(options) else element | {"initial_option": options[at]}


def _answered(field: InputField, value: str) -> str:
    """A field's value; of a choice, the label of the chosen number."""
    if field.type is not InputKind.CHOICE or not value:
        return value
    return field.choices[int(value)] if int(value) < len(field.choices) else ""
