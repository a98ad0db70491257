"""Buttons, selects, ticks and fields: what comes back when they are used is what they were made of."""

from __future__ import annotations

from typing import Any

import pytest

from bot.surfaces.chat import actions
from bot.surfaces.chat.messages import (
    Actions,
    Button,
    Checkboxes,
    FieldType,
    Form,
    Input,
    Markdown,
    Message,
    Option,
    Select,
)
from bot.surfaces.teams import card_data
from bot.surfaces.teams.renderer import render_card, render_form
from tests.loopback.teams import cards
from tests.loopback.teams.people import data_of

OPTIONS = (Option("One", "run q 1"), Option("Two", "run q 2"))


def card(*elements: Any) -> dict[str, Any]:
    made = render_card(Message(("x",), (Actions(elements),)))
    assert cards.problem(made) == ""
    return made


@pytest.mark.parametrize("old_client", [False, True])
def test_a_press_says_what_its_button_holds(old_client: bool) -> None:  # noqa: FBT001 - a parameter
    shown = card(Button("Approve", actions.ANSWER_APPROVE, "run q", "Approve it", "primary"))
    data = data_of([shown], "Approve", old_client=old_client)
    assert card_data.read(data) == card_data.Pressed("answer.approve", "run q")


def test_a_choice_is_the_value_of_its_press() -> None:
    shown = card(
        Select("Choose...", actions.ANSWER_SELECT, OPTIONS), Button("Reply...", actions.OPEN_REPLY, "r")
    )
    data = data_of([shown], "Choose", {"Choose...": "Two"})
    assert card_data.read(data) == card_data.Pressed("answer.select", "run q 2")
    [reply] = [each for each in cards.actions(shown) if each["title"] == "Reply..."]
    assert reply["associatedInputs"] == "none"


def test_ticks_count_with_the_press_below_them() -> None:
    shown = card(Checkboxes(actions.TICK, OPTIONS), Button("Approve selected", actions.APPROVE_TICKED, "r"))
    data = data_of([shown], "Approve selected", {"ticked": "run q 1,run q 2"})
    assert card_data.read(data) == card_data.Pressed("ticked.approve", "r", ("run q 1", "run q 2"))


@pytest.mark.parametrize(
    "action",
    [
        actions.OPEN_REPLY,
        actions.OPEN_FULL,
        f"{actions.OPEN_FULL}.2",
        actions.OPEN_START,
        actions.OPEN_EDIT,
        actions.OPEN_REJECT,
    ],
)
def test_what_opens_a_form_asks_for_a_dialog(action: str) -> None:
    [pressed] = cards.actions(card(Button("Open", action, "r")))
    assert pressed["type"] == "Action.Submit"
    assert pressed["data"]["msteams"] == {"type": "task/fetch"}


def test_a_button_with_an_address_opens_it() -> None:
    [pressed] = cards.actions(card(Button("Open", actions.link("console"), url="https://x.y")))
    assert (pressed["type"], pressed["url"]) == ("Action.OpenUrl", "https://x.y")


def test_a_form_comes_back_with_what_is_filled_in() -> None:
    fields = (
        Input("input.topic", "Topic", FieldType.LINE, hint="What about"),
        Input("input.count", "Count", FieldType.INTEGER, value="3"),
        Input("input.tone", "Tone", FieldType.CHOICE, options=(Option("Plain", "0"), Option("Odd", "1"))),
        Input("input.day", "Day", FieldType.DATE, required=False),
    )
    shown = render_form(Form("Start", fields, callback="start", metadata="draft", submit="Start"))
    assert cards.problem(shown) == ""
    data = data_of([shown], "Start", {"Topic": "tides", "Tone": "Odd", "Count": "12"})
    assert card_data.read(data) == card_data.Submitted(
        "start", "draft", {"input.topic": "tides", "input.count": "12", "input.tone": "1"}
    )


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (FieldType.INTEGER, "3", ("Input.Number", 3)),
        (FieldType.INTEGER, str(2**53), ("Input.Text", str(2**53))),
        (FieldType.INTEGER, "many", ("Input.Text", "many")),
        (FieldType.NUMBER, "1.5", ("Input.Number", 1.5)),
        (FieldType.NUMBER, "9007199254740993", ("Input.Text", "9007199254740993")),
        (FieldType.NUMBER, "inf", ("Input.Text", "inf")),
        (FieldType.LINE, "a\nb", ("Input.Text", "a\nb")),
        (FieldType.CHOICE, "9", ("Input.ChoiceSet", None)),
    ],
)
def test_a_field_keeps_what_was_filled_in(kind: FieldType, value: str, shown: tuple[str, object]) -> None:
    made = render_form(Form("F", (Input("f", "F", kind, value=value),)))["body"][0]
    assert (made["type"], made.get("value")) == shown


def test_a_table_is_a_table_and_a_large_one_its_source() -> None:
    def kinds(rows: int) -> list[str]:
        source = "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * rows
        made = render_card(Message(("x",), (Markdown(source, "-"),)))
        assert cards.problem(made) == ""
        return [each["type"] for each in made["body"]]

    assert kinds(3) == ["Table"]
    assert kinds(200) == ["Container"]
