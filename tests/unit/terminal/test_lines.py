"""What is typed after `crewdeck start CREW`, and what a terminal is shown."""

import pytest

from bot.core.errors import InvalidInputs
from bot.terminal import inputs, lines
from crewdeck.client import Crew, InputField
from crewdeck.client.events import parse

NOTE = Crew(
    name="note",
    main_input="topic",
    inputs=(
        InputField(name="topic", required=True),
        InputField(name="pace", type="number", required=True),
        InputField(name="day", type="date", required=True, default="2026-03-31"),
    ),
)


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ([], {}),
        (["tide", "mills"], {"topic": "tide mills"}),
        (["pace=2", "tide", "a=b", "mills"], {"pace": "2", "topic": "tide a=b mills"}),
        (["tide", "pace=2"], {"topic": "tide", "pace": "2"}),
        (["topic=two\nlines = fine"], {"topic": "two\nlines = fine"}),
        (["pase=2"], {"pase": "2"}),
    ],
)
def test_pairs_are_inputs_and_free_text_is_the_main_one(typed: list[str], values: dict[str, str]) -> None:
    assert inputs.given(NOTE, typed) == values


@pytest.mark.parametrize("typed", [["pace=1", "pace=2"], ["topic=a", "b"]])
def test_nothing_is_given_twice(typed: list[str]) -> None:
    with pytest.raises(InvalidInputs, match="given twice"):
        inputs.given(NOTE, typed)


def test_free_text_needs_a_place() -> None:
    with pytest.raises(InvalidInputs, match="takes no free text"):
        inputs.given(NOTE.model_copy(update={"main_input": None}), ["tide mills"])


def test_only_what_is_required_and_has_no_default_is_asked_for() -> None:
    assert [field.name for field in inputs.missing(NOTE, {"topic": " "})] == ["topic", "pace"]


def test_what_is_typed_is_checked_by_its_type() -> None:
    check = inputs.check(NOTE.inputs[1])
    assert check("1.5") == ""
    assert check("soon") == "It must be a number, not 'soon'"
    assert check(" ") == "A value is needed"


def test_what_people_and_models_write_does_nothing_to_the_terminal() -> None:
    event = parse(
        '{"type":"human_input_required","question_id":"q","prompt":"Now\\u001b[2J\\u202e?","context":"a\\nb\\u0007"}',
        "",
    )
    shown = "\n".join("".join(text for _, text in line) for line in lines.of(event))
    assert shown == "  ? Now[U+001B][2J[U+202E]?\n    a\n    b[U+0007]"


def test_a_change_that_a_run_goes_on_with_is_a_line() -> None:
    [line] = lines.of(parse('{"type":"run_changed","change":"Goes on with gpt-5.5."}', ""))
    assert "".join(text for _, text in line) == "  • Goes on with gpt-5.5."


def test_an_event_of_an_unknown_type_is_no_line() -> None:
    assert lines.of(parse('{"type":"crew_rested"}', "")) == []


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ('{"type":"run_progress","text":"Fetched 3 of 10"}', "Fetched 3 of 10"),
        (
            '{"type":"file_attached","file_id":"f","name":"report.md","size":1536}',
            "report.md  1.5 kB",
        ),
        (
            '{"type":"file_refused","name":"big.bin","reason":"It is too large."}',
            "big.bin can't be attached. It is too large.",
        ),
    ],
)
def test_progress_and_files_are_lines(event: str, said: str) -> None:
    [line] = lines.of(parse(event, ""))
    assert said in "".join(text for _, text in line)
