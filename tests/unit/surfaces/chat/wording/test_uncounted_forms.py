"""What was filled in and not counted is given back, completely where it is opened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.forms.fields import Field, FieldType
from bot.core.text import says_nothing, visible
from bot.surfaces.chat import messages
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.messages import Actions, Form, Frame, Option
from bot.surfaces.chat.wording import uncounted_forms
from bot.surfaces.slack.renderer import LIMITS as SLACK
from bot.surfaces.slack.renderer import render_form, render_message
from bot.surfaces.teams.renderer import LIMITS as TEAMS

FIELDS = tuple(Field(name=f"field_{number}", type=FieldType.TEXT) for number in range(10))
EVERYTHING = uncounted_forms.everything(Target("run", "question"))


def framed(blocks: tuple[Any, ...]) -> str:
    return "".join(each.text for each in blocks if isinstance(each, Frame))


@pytest.mark.parametrize("limits", [SLACK, TEAMS], ids=["slack", "teams"])
@given(values=st.dictionaries(st.sampled_from([each.name for each in FIELDS]), st.text(max_size=300)))
def test_all_that_was_typed_is_given_back(limits: messages.Limits, values: dict[str, str]) -> None:
    text = uncounted_forms.typed(FIELDS, values)
    shown = framed(uncounted_forms.window("Ada was first", text, limits).blocks)
    assert all(value in shown for value in values.values() if not says_nothing(value))
    assert bool(text) == any(not says_nothing(value) for value in values.values())


@pytest.mark.parametrize("character", ["x", "\u202ex", "\U0001f30a"])
@pytest.mark.parametrize("limits", [SLACK, TEAMS], ids=["slack", "teams"])
def test_what_a_message_cannot_hold_is_behind_a_button(limits: messages.Limits, character: str) -> None:
    short, long = character * 20, character * 20_000
    told = uncounted_forms.message("Ada was first", short, limits, EVERYTHING)
    assert framed(told.blocks) == short
    assert not any(isinstance(each, Actions) for each in told.blocks)
    told = uncounted_forms.message("Ada was first", long, limits, EVERYTHING)
    assert any(isinstance(each, Actions) for each in told.blocks)
    assert len(visible(framed(told.blocks)).encode("utf-16-le")) <= 2 * limits.text_units
    assert len(render_message(told)["blocks"]) <= 50


def test_a_window_stays_within_the_size_of_a_modal() -> None:
    view = render_form(uncounted_forms.window("Ada was first", "\u202e" * 200_000, SLACK))
    assert len(view["blocks"]) <= 100


def test_options_are_given_back_as_they_were_labelled() -> None:
    options = (Option("1. Red", "0"), Option("2. Blue", "1"))
    field = messages.Input(
        "input.colour", "Colour", messages.FieldType.MULTI_CHOICE, value="0,1", options=options
    )
    empty = messages.Input("input.note", "Note", messages.FieldType.LINE)
    assert uncounted_forms.typed_in(Form("Fill in", (field, empty))) == "Colour: 1. Red, 2. Blue"
