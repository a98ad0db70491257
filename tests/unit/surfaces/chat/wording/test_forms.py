"""Forms come back as what people filled in."""

from collections.abc import Mapping
from typing import Any

import pytest

from bot.core import inputs
from bot.core.crew import Crew
from bot.core.errors import InvalidInputs
from bot.core.fields import Field, FieldType
from bot.surfaces.chat.actions import REPLY, REPLY_FIELD, START, input_field
from bot.surfaces.chat.inbound.interactions import FormSubmission
from bot.surfaces.chat.wording import forms
from bot.surfaces.slack.inbound.payloads import Submission
from bot.surfaces.slack.renderer import LIMITS, render_form

CREW = Crew(
    name="demo",
    title="Demo",
    inputs=(
        Field(name="topic", required=True),
        Field(name="count", type=FieldType.INTEGER),
        Field(name="loud", type=FieldType.BOOLEAN),
        Field(name="tone", type=FieldType.CHOICE, choices=("plain", "x" * 200)),
        Field(name="day", type=FieldType.DATE),
    ),
)


def submitted(callback: str, values: dict[str, dict[str, Any]]) -> FormSubmission:
    sent = {
        "team": {"id": "T1"},
        "user": {"id": "U1"},
        "view": {"id": "V1", "callback_id": callback, "state": {"values": values}},
    }
    return Submission.model_validate(sent).form_submission()


def filled_in(**answered: dict[str, Any]) -> Mapping[str, str]:
    values = {input_field(name): {"value": value} for name, value in answered.items()}
    return submitted(START, values).values


def test_what_was_filled_in_becomes_values_of_the_declared_types() -> None:
    filled = filled_in(
        topic={"type": "plain_text_input", "value": "mills"},
        count={"type": "number_input", "value": "3"},
        loud={"type": "static_select", "selected_option": {"value": "no"}},
        tone={"type": "static_select", "selected_option": {"value": "1"}},
        day={"type": "datepicker", "selected_date": "2026-03-31"},
    )
    values = inputs.validate(CREW, forms.start_values(CREW, filled))
    expected = {"topic": "mills", "count": 3, "loud": False, "tone": "x" * 200, "day": "2026-03-31"}
    assert values == expected


def test_fields_left_empty_are_no_values() -> None:
    empty = filled_in(
        topic={"type": "plain_text_input", "value": None},
        tone={"type": "static_select", "selected_option": None},
        day={"type": "datepicker", "selected_date": None},
    )
    assert forms.start_values(CREW, empty) == {}


def test_problems_are_shown_at_their_fields() -> None:
    with pytest.raises(InvalidInputs) as wrong:
        inputs.validate(CREW, {"topic": "mills", "count": "many"})
    errors = forms.start_errors(CREW, wrong.value.problems)
    assert list(errors) == [input_field("count")]
    assert "whole number" in errors[input_field("count")]


def test_what_is_known_is_filled_in() -> None:
    form = render_form(forms.start_form(CREW, "run", {"topic": "mills"}, LIMITS))
    blocks = {block.get("block_id"): block for block in form["blocks"]}
    assert blocks[input_field("topic")]["element"]["initial_value"] == "mills"


def test_words_are_read_as_their_writer_saw_them() -> None:
    sent = submitted(REPLY, {REPLY_FIELD: {REPLY_FIELD: {"value": "shorter :+1:"}}})
    assert sent.values == {REPLY_FIELD: "shorter 👍"}
    assert submitted(REPLY, {REPLY_FIELD: {REPLY_FIELD: {"value": None}}}).values == {REPLY_FIELD: ""}
