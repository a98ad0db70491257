"""The public package: its names, and what a factory declares with it."""

import pytest

import crewdeck
from bot.core.errors import SettingsError
from bot.core.forms.fields import Field
from bot.core.runs.crew import Crew
from crews.definitions.decorator import card_of, declared_by


def test_the_public_names_are_these() -> None:
    assert crewdeck.__all__ == [
        "ApprovalResult",
        "AskHuman",
        "CurrentRun",
        "HumanInputCompletedEvent",
        "HumanInputRequiredEvent",
        "NotAnswered",
        "NotApproved",
        "Policy",
        "Requester",
        "approve",
        "approve_async",
        "ask_human",
        "ask_human_async",
        "attach",
        "crew",
        "current_run",
        "idempotency_key",
        "progress",
        "register",
        "requires_approval",
    ]
    with pytest.raises(AttributeError, match="nothing"):
        _ = crewdeck.nothing


def test_a_factory_declares_what_crew_yaml_would() -> None:
    @crewdeck.crew(
        title="Tides",
        inputs={"topic": {"required": True}},
        main_input="topic",
        approvers=["U1"],
        questions={"deadline": "1h"},
        limits={"model_calls": 3},
    )
    def tides(_inputs: object) -> None: ...

    card = card_of("tides", tides)
    assert (card.name, card.title, card.main_input) == ("tides", "Tides", "topic")
    assert card.inputs == (Field(name="topic", required=True),)
    assert card.approvers.listed == ("U1",)
    assert card.deadlines[""].after == 3600
    assert declared_by("tides", tides).limits.model_calls == 3


def test_a_factory_may_carry_its_crew_or_nothing_at_all() -> None:
    class Factory:
        crew = Crew(name="anything", title="Tides")

        def __call__(self, _inputs: object) -> None: ...

    def bare(_inputs: object) -> None: ...

    assert card_of("tides", Factory()) == Crew(name="tides", title="Tides")
    assert card_of("high_tides", bare).title == "High tides"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"limits": {"calls": 3}}, "limits.calls"), ({"main_input": "topic"}, "topic is no input of this crew")],
)
def test_a_wrong_declaration_says_what_is_wrong(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        crewdeck.crew(title="Tides", **wrong)  # type: ignore[arg-type]
