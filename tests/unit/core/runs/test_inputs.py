"""A crew's inputs: from what people type to values of the declared types."""

import pytest
from pydantic import JsonValue

from bot.core.errors import InvalidInputs
from bot.core.forms.fields import Field, FieldType
from bot.core.runs import inputs
from bot.core.runs.crew import Crew

CREW = Crew(
    name="demo",
    title="Demo",
    inputs=(
        Field(name="topic", required=True),
        Field(name="pages", type=FieldType.INTEGER, default=3),
        Field(name="budget", type=FieldType.NUMBER),
        Field(
            name="tone", type=FieldType.CHOICE, choices=("plain", "Playful"), required=True, default="plain"
        ),
        Field(name="public", type=FieldType.BOOLEAN),
        Field(name="due", type=FieldType.DATE),
    ),
)


def test_what_is_not_given_has_its_default_or_stays_away() -> None:
    assert inputs.validate(CREW, {"topic": "tide mills", "due": " "}) == {
        "topic": "tide mills",
        "pages": 3,
        "tone": "plain",
    }
    assert [field.name for field in inputs.missing(CREW, {"topic": "  "})] == ["topic"]


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("topic", 7, "7"),
        ("pages", " 12 ", 12),
        ("budget", "1.5", 1.5),
        ("budget", 2, 2),
        ("tone", "PLAYFUL", "Playful"),
        ("public", "Yes", True),
        ("public", False, False),
        ("due", "2026-03-31", "2026-03-31"),
    ],
)
def test_words_become_values(name: str, given: JsonValue, value: JsonValue) -> None:
    assert inputs.validate(CREW, {"topic": "x", name: given})[name] == value


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("topic", True, "must be text"),
        ("topic", None, "is required"),
        ("pages", "many", "must be a whole number, not 'many'"),
        ("pages", 1.5, "must be a whole number, not 1.5"),
        ("pages", True, "must be a whole number, not True"),
        ("budget", "nan", "must be a number, not 'nan'"),
        ("budget", "inf", "must be a number, not 'inf'"),
        ("budget", [1], "must be a number, not [1]"),
        ("tone", "loud", "must be one of plain, Playful, not 'loud'"),
        ("public", "perhaps", "must be yes or no, not 'perhaps'"),
        ("due", "31.3.2026", "must be a date such as 2026-03-31, not '31.3.2026'"),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(name: str, given: JsonValue, problem: str) -> None:
    with pytest.raises(InvalidInputs) as refused:
        inputs.validate(CREW, {"topic": "x", name: given})
    assert refused.value.problems == {name: problem}


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(InvalidInputs) as refused:
        inputs.validate(CREW, {"tpoic": "x", "pages": "many"})
    assert set(refused.value.problems) == {"tpoic", "topic", "pages"}
    assert "topic, pages" in refused.value.problems["tpoic"]
