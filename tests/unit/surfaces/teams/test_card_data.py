"""What cards carry comes back as it was written, and nothing else is taken for it."""

import pytest

from bot.surfaces.teams import card_data
from bot.surfaces.teams.card_data import Pressed, Submitted

TARGET = "run-1 question-1 2 digest"


@pytest.mark.parametrize("opens_dialog", [False, True])
def test_a_button_comes_back(*, opens_dialog: bool) -> None:
    data = card_data.button("answer.approve", TARGET, opens_dialog=opens_dialog)
    assert ("msteams" in data) is opens_dialog
    assert card_data.read(data | {"comment": "typed"}) == Pressed("answer.approve", TARGET)


@pytest.mark.parametrize(("chosen", "value"), [({"choice": TARGET}, TARGET), ({}, "")])
def test_a_select_comes_back_with_its_choice(chosen: dict[str, str], value: str) -> None:
    assert card_data.read(card_data.select("answer.select") | chosen) == Pressed("answer.select", value)


def test_a_form_comes_back_with_its_values() -> None:
    data = card_data.form("start", "draft-1") | {"input.topic": "mills", "input.count": 3, "input.on": True}
    assert card_data.read(data) == Submitted(
        "start", "draft-1", {"input.topic": "mills", "input.count": "3", "input.on": "true"}
    )


def test_a_button_in_a_form_comes_back_with_the_form() -> None:
    data = card_data.in_form(card_data.button("step.more", TARGET), "start", "draft-1") | {
        "input.topic": "mills"
    }
    form = Submitted("start", "draft-1", {"input.topic": "mills"})
    assert card_data.read(data) == Pressed("step.more", TARGET, form=form)


def test_an_input_of_a_crew_is_never_an_action() -> None:
    data = card_data.form("start", "draft-1") | {"action": "answer.approve", "value": TARGET}
    assert isinstance(card_data.read(data), Submitted)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {},
        {"action": "answer.approve", "value": TARGET},
        {"crewdeck": "answer.approve"},
        {"crewdeck": {"value": TARGET}},
        {"crewdeck": {"action": 1, "value": TARGET}},
        {"crewdeck": {"form": "start"}},
    ],
)
def test_other_data_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="not the data"):
        card_data.read(data)
