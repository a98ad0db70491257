"""What an edit may choose or type is read in full, and as what it is, before it is approved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.people.policy import Policy
from bot.core.questions.question import APPROVAL_OPTIONS, Question, QuestionKind, Source
from bot.core.questions.tool_call import ToolCall
from bot.surfaces.chat.formatted_text import plain_words
from bot.surfaces.chat.messages import Form, Frame, Input, Limits, Paragraph
from bot.surfaces.chat.wording import decision_forms
from bot.surfaces.chat.wording.decision_forms import IS_TEXT, KEEPS_ENDS, TEXT_FIELD, argument_field
from bot.surfaces.slack import renderer as slack
from bot.surfaces.teams import renderer as teams
from tests.loopback.slack.blocks import check_view

SLACKS_BYTES = 250_000
PLATFORMS = pytest.mark.parametrize("limits", [slack.LIMITS, teams.LIMITS], ids=["slack", "teams"])
ALIKE = "The beginning of all of them is the same, and longer than an option of a select may be: "


def gate(schema: dict[str, Any], value: JsonValue) -> Question:
    arguments = {"it": value, "other": "x"}
    call = ToolCall(
        tool="pay",
        title="Pay",
        arguments=arguments,
        proposed=arguments,
        editable=("it", "other"),
        parameters={"properties": {"it": schema, "other": {"type": "string"}}},
    )
    return Question(
        id="q",
        run_id="6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31",
        kind=QuestionKind.APPROVAL,
        source=Source.GATE,
        prompt="Pay?",
        options=APPROVAL_OPTIONS,
        policy=Policy(deciders=("slack::U1",)),
        call=call,
        digest=f"sha256:{'0' * 64}",
    )


def form_of(question: Question, limits: Limits) -> Form:
    form = decision_forms.edit_form(question, limits)
    assert form is not None
    return form


def fields(form: Form) -> dict[str, Input]:
    return {each.name: each for each in form.blocks if isinstance(each, Input)}


@PLATFORMS
def test_choices_that_look_alike_in_a_select_are_listed_in_full(limits: Limits) -> None:
    choices = [f"{ALIKE}{end}" for end in ("one", "two")]
    form = form_of(gate({"enum": choices}, choices[0]), limits)
    field = fields(form)[argument_field("it")]
    labels = [each.label[: limits.label_units] for each in field.options]
    assert len(set(labels)) == len(choices)
    [listed] = [each.text for each in form.blocks if isinstance(each, Frame)]
    assert listed.split("\n") == [f"{number}. {each}" for number, each in enumerate(choices, start=1)]
    assert decision_forms.edited(
        gate({"enum": choices}, choices[0]), {argument_field("it"): field.options[1].value}
    ).arguments == {"it": choices[1]}


@PLATFORMS
def test_a_choice_of_several_lines_can_not_look_like_another_one(limits: Limits) -> None:
    choices: list[JsonValue] = ["a\n2. b", "b", {"to": ["Acme"]}]
    form = form_of(gate({"enum": choices}, "b"), limits)
    [listed] = [each.text for each in form.blocks if isinstance(each, Frame)]
    numbered = [line for line in listed.split("\n") if not line.startswith(" ")]
    assert [line.partition(".")[0] for line in numbered] == ["1", "2", "3"]


@PLATFORMS
@pytest.mark.parametrize("many", [True, False])
def test_what_a_form_can_not_offer_in_full_is_edited_in_the_console(limits: Limits, *, many: bool) -> None:
    choices = [str(each) for each in range(limits.options + 1)] if many else [ALIKE * 200, "b"]
    form = form_of(gate({"enum": choices}, choices[-1]), limits)
    assert list(fields(form)) == [argument_field("other")]
    said = [plain_words(each.text) for each in form.blocks if isinstance(each, Paragraph)]
    assert any("it can be edited in the console only" in each for each in said)


def many(values: dict[str, JsonValue], schema: dict[str, Any]) -> Question:
    question = gate({}, "x")
    assert question.call is not None
    more: dict[str, Any] = {"arguments": values, "proposed": values, "editable": tuple(values)}
    properties: dict[str, JsonValue] = dict.fromkeys(values, schema)
    call = question.call.model_copy(update={**more, "parameters": {"properties": properties}})
    return question.model_copy(update={"call": call})


@PLATFORMS
@pytest.mark.parametrize(
    ("values", "schema", "all_fit"),
    [
        ({f"a{at}": "x" for at in range(50)}, {"type": "string"}, True),
        ({f"a{at}": "x" for at in range(120)}, {"type": "string"}, False),
        ({f"a{at}": f"{ALIKE}one" for at in range(50)}, {"enum": [f"{ALIKE}one", f"{ALIKE}two"]}, False),
        ({f"a{at}": "é" * 2900 for at in range(50)}, {"type": "string"}, False),
        ({"n" * 300: "x", "\N{GRINNING FACE}" * 150: "x", "a": "x"}, {"type": "string"}, False),
    ],
    ids=["fifty", "many", "long choices", "long texts", "long names"],
)
def test_a_form_has_the_fields_that_the_platform_takes_and_says_what_it_lacks(
    limits: Limits, values: dict[str, JsonValue], schema: dict[str, Any], *, all_fit: bool
) -> None:
    form = form_of(many(values, schema), limits)
    view = slack.render_form(form)
    if limits is slack.LIMITS:
        check_view(view, "modal")
    assert len(json.dumps(view, ensure_ascii=False).encode()) < SLACKS_BYTES
    offered = [argument_field(each) in fields(form) for each in values]
    assert any(offered)
    assert all(offered) is all_fit
    said = [plain_words(each.text) for each in form.blocks if isinstance(each, Paragraph)]
    assert any("can be edited in the console only" in each for each in said) is not all_fit


@PLATFORMS
@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({}, "12", True),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "12", True),
        ({"description": "Of the invoice."}, "12", True),
        ({"type": "string"}, "12", False),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "12", False),
        ({}, 12, False),
        ({"enum": ["12", 12]}, "12", False),
    ],
)
def test_a_field_says_that_what_is_typed_is_a_text_where_it_could_be_another_value(
    limits: Limits, schema: dict[str, Any], value: JsonValue, *, said: bool
) -> None:
    hint = fields(form_of(gate(schema, value), limits))[argument_field("it")].hint
    assert hint.startswith(IS_TEXT) is said
    assert hint.endswith(schema.get("description", ""))


@pytest.mark.parametrize(
    ("before", "typed", "changes"),
    [
        ("Acme", "Acme ", True),
        ("Acme", " Acme", True),
        ("Acme", "Acme\n", True),
        ("Acme ", "Acme  ", True),
        ("Acme ", " Acme", True),
        ("Acme", "Acme", False),
        ("Acme ", "Acme ", False),
        ("Acme ", "Acme", False),  # Fields drop them, whether or not anybody edits.
        (" Acme\n", " Acme", False),
        ("a\nb", "a\r\nb", False),
        (" ", "", False),
    ],
)
def test_spaces_that_were_not_there_before_are_an_edit(before: str, typed: str, *, changes: bool) -> None:
    question = gate({"type": "string"}, before)
    edited = decision_forms.edited(question, {argument_field("it"): typed})
    assert edited.arguments == ({"it": typed} if changes else {})
    review = question.model_copy(update={"call": None, "kind": QuestionKind.REVIEW, "context": before})
    assert decision_forms.edited(review, {TEXT_FIELD: typed}).text == (typed if changes else None)


@PLATFORMS
@pytest.mark.parametrize(
    ("before", "said"), [("Acme ", True), ("\nAcme", True), ("Acme", False), ("A b", False)]
)
def test_a_field_says_that_spaces_around_a_text_stay(limits: Limits, before: str, *, said: bool) -> None:
    question = gate({"type": "string", "description": "Whom."}, before)
    hint = fields(form_of(question, limits))[argument_field("it")].hint
    assert (KEEPS_ENDS in hint) is said
    assert hint.endswith("Whom.")
    review = question.model_copy(update={"call": None, "kind": QuestionKind.REVIEW, "context": before})
    assert (KEEPS_ENDS in fields(form_of(review, limits))[TEXT_FIELD].hint) is said


def test_a_choice_that_differs_by_spaces_is_another_one() -> None:
    question = gate({"enum": ["a ", "a"]}, "a ")
    assert decision_forms.edited(question, {argument_field("it"): "1"}).arguments == {"it": "a"}
    assert decision_forms.edited(question, {argument_field("it"): "0"}).arguments == {}


@PLATFORMS
@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "string"])
@pytest.mark.parametrize("value", [None, 1])
def test_nobody_has_to_fill_in_what_is_nothing_to_edit_something_else(
    limits: Limits, kind: str, value: JsonValue
) -> None:
    filled: dict[str, JsonValue] = {"boolean": True, "string": "1"}
    given = filled.get(kind, value) if value is not None else None
    question = gate({"anyOf": [{"type": kind}, {"type": "null"}]}, given)
    field = fields(form_of(question, limits))[argument_field("it")]
    assert field.required is (given is not None and kind != "string")
    sent = {argument_field("it"): field.value, argument_field("other"): "y"}
    edited = decision_forms.edited(question, sent)
    assert (edited.arguments, edited.errors) == ({"other": "y"}, {})
