"""Whatever the arguments of a call are: all of them are shown, framed, and none can pass for our words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions.question import APPROVAL_OPTIONS, Question, QuestionKind, Source
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.core.text import visible
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import QuestionCard, question_card
from bot.surfaces.chat.messages import Actions, Checkboxes, Input
from bot.surfaces.chat.wording import batches, decision_forms, gates, question_forms, question_messages
from bot.surfaces.chat.wording.question_messages import ReadableIn
from bot.surfaces.slack.renderer import LIMITS, render_form, render_message
from tests.loopback.slack.blocks import check_message_blocks, check_view

THEIRS = "¤"
"""Stands in every text of the crew, and in none of ours."""
RUN = "6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31"
ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA", name="Ada")
POLICY = Policy(deciders=(ADA.principal,))
SPOOFS = (
    "\namount: 1",
    "✅ Approved by Ada",
    "The crew writes:",
    "\u202e",
    "*bold*",
    "<!channel>",
    "x" * 400,
    " ",
)
TEXTS = st.lists(st.sampled_from(SPOOFS) | st.text(max_size=12), max_size=6).map(
    lambda parts: THEIRS + "".join(parts)
)
SCALARS = TEXTS | st.integers(-(2**53), 2**53) | st.booleans() | st.none() | st.floats(-1e9, 1e9)
VALUES: st.SearchStrategy[Any] = (
    SCALARS | st.lists(TEXTS, max_size=3) | st.dictionaries(TEXTS, TEXTS, max_size=2)
)
CALLS = st.builds(
    lambda title, tool, arguments, secrets: ToolCall(
        tool=tool, title=title, arguments=arguments, proposed=arguments, secrets=secrets
    ),
    TEXTS,
    TEXTS,
    st.dictionaries(TEXTS, VALUES, max_size=8),
    st.dictionaries(TEXTS.map(lambda name: f"secret {name}"), st.just("hmac-of-it"), max_size=2),
)


def a_run() -> Run:
    return Run(
        id=RUN, crew=Crew(name="pay", title="Pay"), status=RunStatus.RUNNING, requester=ADA, approvers=POLICY,
        cancellers=POLICY, created_at=0,
    )  # fmt: skip


def gate(call: ToolCall, **more: Any) -> Question:
    asked = {"id": "q", "prompt": THEIRS, "asker": THEIRS, "digest": f"sha256:{'0' * 64}", **more}
    return Question(
        run_id=RUN, kind=QuestionKind.APPROVAL, source=Source.GATE, call=call, options=APPROVAL_OPTIONS,
        policy=POLICY, **asked,
    )  # fmt: skip


def card(question: Question) -> QuestionCard:
    return question_card(a_run(), question)


def framed(blocks: Iterable[dict[str, Any]]) -> Iterator[tuple[bool, str]]:
    """Every visible text in order, and whether it is framed or quoted, or is a bold name."""
    for block in blocks:
        if block["type"] == "rich_text":
            for part in block["elements"]:
                whole = part["type"] in {"rich_text_preformatted", "rich_text_quote"}
                for element in part["elements"]:
                    style = element.get("style", {})
                    yield whole or bool(style.get("code") or style.get("bold")), str(element.get("text", ""))
        elif block["type"] in {"context", "section", "header"}:
            for each in block.get("elements") or [block["text"]]:
                yield False, each["text"]


def can_be_read(value: JsonValue, read: str) -> bool:
    """Whether a value, or a name, stands in what can be read: literally, or as JSON."""
    as_json = (json.dumps(value, ensure_ascii=False), json.dumps(value, ensure_ascii=False, indent=2))
    forms_of_it = ("none",) if value is None else (*as_json, *([value] if isinstance(value, str) else []))
    return any(solid(each) in read for each in forms_of_it)


def solid(text: str) -> str:
    return "".join(visible(text).split())


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_all_of_a_call_can_be_read_before_it_can_be_approved(call: ToolCall) -> None:
    question = gate(call)
    message = render_message(question_messages.ask(card(question), LIMITS))
    check_message_blocks(message["blocks"])
    form = render_form(question_forms.full_text(a_run(), question, LIMITS))
    check_view(form, "modal")
    fit = question_messages.readable_in(card(question), LIMITS)
    ids = [
        each["action_id"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for each in block["elements"]
    ]
    assert (actions.ANSWER_APPROVE in ids) is (fit is ReadableIn.MESSAGE)
    blocks = message["blocks"] if fit is ReadableIn.MESSAGE else form["blocks"]
    read = solid("".join(text for _, text in framed(blocks)))
    if fit is not ReadableIn.FILE:
        shown = [each for pair in call.arguments.items() for each in pair]
        assert [each for each in shown if not can_be_read(each, read)] == []
    assert "hmac-of-it" not in read


@pytest.mark.parametrize("value", [5, -1.0, True, None, [1], {"a": 1}, "5", "true"])
def test_a_text_never_looks_like_the_value_that_it_writes(value: JsonValue) -> None:
    """In no form in which a call is shown, nor in what an edit changed."""
    shown = []
    for each in (value, json.dumps(value), json.dumps(value, indent=2)):
        call = ToolCall(tool="pay", arguments={"amount": each}, proposed={"amount": each})
        edited = call.model_copy(update={"proposed": {"amount": "1200"}})
        cards = [card(gate(call)), card(gate(edited))]
        shown.append(
            [
                gates.arguments(call),
                gates.beginning_of_arguments(call),
                gates.as_text(call),
                gates.changes(edited),
                *(question_messages.ask(shown_card, LIMITS).blocks for shown_card in cards),
                batches.batch(cards, LIMITS).blocks,
            ]
        )
    assert all(one != other for one, other, *_ in zip(*shown, strict=True))
    assert all(one != other for one, _, other in zip(*shown, strict=True))


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_nothing_of_a_call_can_pass_for_our_words(call: ToolCall) -> None:
    question = gate(call)
    rendered = [
        render_message(question_messages.ask(card(question), LIMITS))["blocks"],
        render_form(question_forms.full_text(a_run(), question, LIMITS))["blocks"],
        render_message(batches.batch([card(question), card(question)], LIMITS))["blocks"],
    ]
    for blocks in rendered:
        assert [text for theirs, text in framed(blocks) if THEIRS in text and not theirs] == []


@settings(max_examples=30, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=batches.MAX_QUESTIONS))
def test_of_a_batch_only_what_its_message_shows_in_full_can_be_ticked(calls: list[ToolCall]) -> None:
    cards = [card(gate(call, id=f"q{at}")) for at, call in enumerate(calls)]
    message = batches.batch(cards, LIMITS)
    check_message_blocks(render_message(message)["blocks"])
    read = solid("".join(text for _, text in framed(render_message(message)["blocks"])))
    rows = [row.elements for row in message.blocks if isinstance(row, Actions)]
    boxes = [each for row in rows for each in row if isinstance(each, Checkboxes)]
    ticked = {Target.decode(option.value).question_id for box in boxes for option in box.options}
    for at, call in enumerate(calls):
        if f"q{at}" in ticked:
            assert all(can_be_read(each, read) for each in call.arguments.values())
        else:
            assert not batches.is_complete(cards[at], LIMITS)
    assert {f"{actions.OPEN_FULL}.{at + 1}" for at in range(len(cards))} <= {
        each.action for row in rows for each in row
    }


TYPED: dict[str, tuple[dict[str, JsonValue], st.SearchStrategy[Any]]] = {
    "text": ({"type": "string"}, st.text(max_size=50)),
    "whole": ({"type": "integer"}, st.integers(-(2**53), 2**53)),
    "number": ({"type": "number"}, st.floats(-1e9, 1e9)),
    "flag": ({"type": "boolean"}, st.booleans()),
    "one": ({"enum": ["a", 1, True, None]}, st.sampled_from(["a", 1, True, None])),
    "maybe": ({"anyOf": [{"type": "string"}, {"type": "null"}]}, st.none() | st.text(max_size=9)),
    "list": ({"type": "array"}, st.lists(st.text(max_size=5), max_size=3)),
}


@given(st.fixed_dictionaries({name: values for name, (_, values) in TYPED.items()}))
def test_a_form_that_nobody_changed_edits_nothing(arguments: dict[str, JsonValue]) -> None:
    properties: JsonValue = {name: schema for name, (schema, _) in TYPED.items()}
    call = ToolCall(
        tool="t",
        arguments=arguments,
        proposed=arguments,
        editable=tuple(TYPED),
        parameters={"properties": properties},
    )
    question = gate(call)
    form = decision_forms.edit_form(question, LIMITS)
    assert form is not None
    values = {each.name: each.value for each in form.blocks if isinstance(each, Input)}
    edited = decision_forms.edited(question, values)
    assert (dict(edited.arguments), dict(edited.errors)) == ({}, {})


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("whole", "12", 12),
        ("whole", "1e3", 1000),
        ("whole", "9007199254740993", 2**53 + 1),
        ("whole", "9007199254740993.0", "digits"),
        ("whole", "1e400", "digits"),
        ("whole", "-1e400", "digits"),
        ("whole", "1.5", "whole number"),
        ("number", "0.1", 0.1),
        ("number", "0.10", 0.1),
        ("number", "1e400", "digits"),
        ("number", "1e-400", "digits"),
        ("number", "0.12345678901234567890", "digits"),
        ("number", "NaN", "JSON"),
        ("number", "Infinity", "JSON"),
        ("list", '["b", 1e400]', "digits"),
        ("list", '[{"to": "Acme", "to": "Eve"}]', "twice"),
        ("list", '[{"to": {"to": "Eve"}}]', [{"to": {"to": "Eve"}}]),
    ],
)
def test_what_is_typed_is_kept_as_it_is_typed_or_refused(name: str, typed: str, value: JsonValue) -> None:
    arguments: dict[str, JsonValue] = {"whole": 1, "number": 1.5, "list": ["a"]}
    properties: JsonValue = {each: TYPED[each][0] for each in arguments}
    call = ToolCall(
        tool="t",
        arguments=arguments,
        proposed=arguments,
        editable=tuple(arguments),
        parameters={"properties": properties},
    )
    edited = decision_forms.edited(gate(call), {decision_forms.argument_field(name): typed})
    if isinstance(value, str):
        [error] = edited.errors.values()
        assert value in error
    else:
        assert (dict(edited.arguments), dict(edited.errors)) == ({name: value}, {})


@pytest.mark.parametrize("long", ["x" * 3001, "é" * 3001])
def test_what_a_field_cannot_hold_is_not_offered_for_an_edit(long: str) -> None:
    arguments: dict[str, JsonValue] = {"long": long, "short": "x"}
    call = ToolCall(tool="t", arguments=arguments, proposed=arguments, editable=("long", "short"))
    form = decision_forms.edit_form(gate(call), LIMITS)
    assert form is not None
    assert [each.name for each in form.blocks if isinstance(each, Input)] == ["edit.argument.short"]
    only = call.model_copy(update={"editable": ("long",)})
    assert decision_forms.edit_form(gate(only), LIMITS) is None
