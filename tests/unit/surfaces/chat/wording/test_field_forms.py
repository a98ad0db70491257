"""Fields of forms: what people see in them, and what they filled in."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.forms.fields import Field, FieldType
from bot.core.forms.validation import validate
from bot.core.locales import Locale
from bot.surfaces.chat import messages
from bot.surfaces.chat.actions import START, input_field
from bot.surfaces.chat.messages import Form, Frame
from bot.surfaces.chat.wording import field_forms
from bot.surfaces.slack.inbound.payloads import Submission
from bot.surfaces.slack.renderer import LIMITS, render_form
from bot.surfaces.slack.renderer.elements import field as rendered
from bot.surfaces.teams import renderer as teams
from tests.loopback.slack.blocks import check_view
from tests.loopback.teams.cards import problem

GERMAN = Locale(tag="de-DE", timezone="Europe/Berlin")
LONG = "x" * 200
FORM = (
    Field(name="topic", required=True),
    Field(name="note", type=FieldType.TEXT),
    Field(name="count", type=FieldType.INTEGER),
    Field(name="share", type=FieldType.NUMBER),
    Field(name="loud", type=FieldType.BOOLEAN),
    Field(name="tone", type=FieldType.CHOICE, choices=("plain", LONG)),
    Field(name="tags", type=FieldType.MULTI_CHOICE, choices=("a", "b", "c")),
    Field(name="day", type=FieldType.DATE),
    Field(name="at", type=FieldType.TIME),
    Field(name="moment", type=FieldType.DATETIME),
    Field(name="mail", type=FieldType.EMAIL),
    Field(name="page", type=FieldType.URL),
)
#: What Slack sends of each field, and the value that it becomes.
FILLED: dict[str, tuple[dict[str, Any], JsonValue]] = {
    "topic": ({"type": "plain_text_input", "value": "mills"}, "mills"),
    "note": ({"type": "plain_text_input", "value": "two\nlines"}, "two\nlines"),
    "count": ({"type": "number_input", "value": "3"}, 3),
    "share": ({"type": "plain_text_input", "value": "1,5"}, 1.5),
    "loud": ({"type": "static_select", "selected_option": {"value": "no"}}, False),
    "tone": ({"type": "static_select", "selected_option": {"value": "1"}}, LONG),
    "tags": ({"type": "checkboxes", "selected_options": [{"value": "2"}, {"value": "0"}]}, ["a", "c"]),
    "day": ({"type": "datepicker", "selected_date": "2026-03-31"}, "2026-03-31"),
    "at": ({"type": "timepicker", "selected_time": "09:30"}, "09:30"),
    "moment": ({"type": "datetimepicker", "selected_date_time": 1774942200}, "2026-03-31T09:30:00+02:00"),
    "mail": ({"type": "email_text_input", "value": "ada@example.com"}, "ada@example.com"),
    "page": ({"type": "url_text_input", "value": "https://example.com/"}, "https://example.com/"),
}
EMPTY = (
    "value",
    "selected_option",
    "selected_options",
    "selected_date",
    "selected_time",
    "selected_date_time",
)


def sent(answered: dict[str, dict[str, Any]]) -> dict[str, JsonValue]:
    values = {input_field(name): {"changed": value} for name, value in answered.items()}
    view = {"id": "V1", "callback_id": START, "state": {"values": values}}
    payload = {"team": {"id": "T1"}, "user": {"id": "U1"}, "view": view}
    submission = Submission.model_validate(payload).form_submission()
    return field_forms.submitted(FORM, submission.values, GERMAN)


def test_what_was_filled_in_becomes_values_of_the_declared_types() -> None:
    given = sent({name: answered for name, (answered, _) in FILLED.items()})
    expected = {name: value for name, (_, value) in FILLED.items()}
    assert validate(FORM, given, strict=False, locale=GERMAN) == expected


def test_values_are_shown_as_they_were_filled_in() -> None:
    values = {name: value for name, (_, value) in FILLED.items()}
    shown = widgets(values)
    assert {name: widget.value for name, widget in shown.items()} == {
        "topic": "mills", "note": "two\nlines", "count": "3", "share": "1,5", "loud": "no", "tone": "1",
        "tags": "0,2", "day": "2026-03-31", "at": "09:30", "moment": "2026-03-31T09:30:00+02:00",
        "mail": "ada@example.com", "page": "https://example.com/",
    }  # fmt: skip
    assert rendered(shown["moment"])["element"]["initial_date_time"] == 1774942200
    assert [each["value"] for each in rendered(shown["tags"])["element"]["initial_options"]] == ["0", "2"]


def test_fields_left_empty_are_empty_and_not_their_default() -> None:
    empty = {name: {"type": each["type"]} | dict.fromkeys(EMPTY) for name, (each, _) in FILLED.items()}
    assert sent(empty) == {name: [] if name == "tags" else "" for name in FILLED}


@pytest.mark.parametrize(("kind", "value"), [(FieldType.INTEGER, "many"), (FieldType.DATE, "soon")])
def test_what_a_field_of_slack_can_not_show_is_left_out(kind: FieldType, value: str) -> None:
    [shown] = field_forms.blocks((Field(name="it", type=kind),), {"it": value}, LIMITS, Locale())
    assert isinstance(shown, messages.Input)
    assert shown.value == value
    element = rendered(shown)["element"]
    assert not element.keys() & {"initial_value", "initial_date"}


def test_problems_are_shown_at_their_fields() -> None:
    problems = {"count": "must be a whole number, not 'many'", "elsewhere": "is wrong"}
    assert field_forms.errors(FORM, problems) == {
        input_field("count"): "Count must be a whole number, not 'many'"
    }


def test_choices_that_no_option_can_hold_are_listed_in_full() -> None:
    listed = [block for block in field_forms.blocks(FORM, {}, LIMITS, GERMAN) if isinstance(block, Frame)]
    assert [frame.text for frame in listed] == [f"1. plain\n2. {LONG}"]


def test_a_choice_can_be_taken_back_where_it_is_optional() -> None:
    assert [option.label for option in widgets({})["loud"].options] == ["Yes", "No", "No answer"]
    taken_back = {"type": "static_select", "selected_option": {"value": "-"}}
    given = sent({"loud": taken_back, "tone": taken_back})
    assert (given["loud"], given["tone"]) == ("", "")


def test_more_than_six_fields_are_asked_in_steps() -> None:
    assert [len(step) for step in field_forms.steps(FORM)] == [6, 6]
    assert [len(step) for step in field_forms.steps(FORM[:6])] == [6]
    assert field_forms.first_step_with(FORM, {"mail": "is wrong", "nothing": "is"}) == 1


def widgets(values: dict[str, JsonValue]) -> dict[str, messages.Input]:
    blocks = field_forms.blocks(FORM, values, LIMITS, GERMAN)
    shown = [block for block in blocks if isinstance(block, messages.Input)]
    return {field.name: widget for field, widget in zip(FORM, shown, strict=True)}


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────

DOC = Field(name="doc", type=FieldType.FILE, required=True, description="The plan.", accept=("pdf",))
UPLOAD = "6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31"


def test_a_file_is_chosen_where_forms_have_fields_for_files() -> None:
    takes_files = replace(LIMITS, files=True)
    [empty] = field_forms.blocks([DOC], {}, takes_files, Locale())
    assert isinstance(empty, messages.Input)
    assert (empty.type, empty.required, empty.live, empty.accept) == (
        messages.FieldType.FILE, True, False, ("pdf",),
    )  # fmt: skip
    [given] = field_forms.blocks([DOC], {"doc": UPLOAD}, takes_files, Locale())
    assert isinstance(given, messages.Input)
    assert (given.required, given.value) == (False, "")
    assert given.hint == "A file is uploaded. Choose another one to replace it. The plan."
    assert field_forms.in_words(DOC, {"doc": UPLOAD}) == "uploaded"


def test_elsewhere_the_form_says_where_to_give_it() -> None:
    [block] = field_forms.blocks([DOC], {}, replace(LIMITS, files=False), Locale())
    assert isinstance(block, messages.Paragraph)
    assert "Start this crew in the console" in str(block.text)


WRONG = ["tomorrow", "12,5,5", "1e999", "nan", "-", "2026-13-40", "25:99", "\u202e", "x" * 5000]
WRITTEN = [
    each for each in FieldType if each not in {FieldType.CHOICE, FieldType.MULTI_CHOICE, FieldType.FILE}
]


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("tag", ["en-US", "de-DE"])
@pytest.mark.parametrize("typed", WRONG)
def test_whatever_was_typed_can_be_shown_again_on_each_platform(
    kind: FieldType, tag: str, typed: str
) -> None:
    made, locale = Field(name="a", type=kind), Locale(tag=tag)
    shown = field_forms.blocks([made], {"a": typed}, LIMITS, locale)
    check_view(render_form(Form("Fill in", tuple(shown), "form", "r", "Send")), "modal")
    shown = field_forms.blocks([made], {"a": typed}, teams.LIMITS, locale)
    assert problem(teams.render_form(Form("Fill in", tuple(shown), "form", "r", "Send"))) == ""
