"""What a worker makes of a run's journal."""

import json

import pytest

from crews.journal.journal import Journal, original_step_name, repeated_step_name

SAID = json.dumps({"result": "said"})


def test_steps_of_the_run_that_is_tried_again_are_found_and_not_missed() -> None:
    journal = Journal({"kept/t1/model/x/0": SAID, "t1/model/y/0": SAID, "kept/done/1": "{}"})
    assert journal.found("t1/model/x/0") == {"result": "said"}
    assert journal.is_seeded("t1/model/x/0")
    assert not journal.is_seeded("t1/model/y/0")
    assert journal.unrepeated_model_calls("t1") == ["t1/model/y/0"]
    assert dict(journal.records("done/")) == {"done/1": {}}


def test_what_the_run_took_itself_comes_first() -> None:
    journal = Journal({"kept/done/1": '"theirs"', "done/1": '"own"', "kept/t/tool/x/0?": "2 old"})
    assert dict(journal.records("done/")) == {"done/1": "own"}
    begun = Journal({"kept/m:send:0?": "1 old", "kept/m:send:0/begun": '{"number": 1}'})
    assert dict(begun.records("m:", "/begun")) == {"m:send:0/begun": {"number": 1}}
    assert (journal.starts_without_result("t/tool/x/0"), journal.seeded_start("t/tool/x/0")) == (2, "old")
    assert (journal.starts_without_result("t/tool/y/0"), journal.seeded_start("t/tool/y/0")) == (0, None)


def test_a_step_that_is_taken_again_has_a_name_of_its_own() -> None:
    """It stays one of its scope and kind, and what identifies the call to others is its first name."""
    first = Journal().name("t1", "tool", "send")
    again = repeated_step_name(first)
    assert len({first, again, repeated_step_name(again)}) == 3
    assert again.split("/")[-3:-2] == ["tool"]
    assert again.startswith("t1/")
    assert original_step_name(f"{repeated_step_name(again)}/model/x/0") == f"{first}/model/x/0"


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"format": "2", "t1/model/x/0": SAID, "kept/t1/tool/y/0": '{"failed": "no"}'},
        {
            "format": "2",
            "t1/prompt/x/0": "[]",
            "heard/q": "mark",
            "t1/tool/y/0?": "1",
            "answer/q": "{}",
            "done/1": '{"output": {}}',
        },
    ],
)
def test_a_journal_of_this_release_is_understood(stored: dict[str, str]) -> None:
    assert Journal(stored).unreadable is None


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        ({"format": "3"}, "format 3"),
        ({"t1/model/x/0": SAID}, "format 1"),
        ({"format": "2", "t1/model/x/0": '{"answer": 1}'}, "t1/model/x/0"),
        ({"format": "2", "kept/t1/tool/x/0": "[]"}, "t1/tool/x/0"),
        ({"format": "2", "t1/prompt/x/0": "{}"}, "t1/prompt/x/0"),
        ({"format": "2", "done/1": "\x80\x04"}, "done/1"),
        ({"format": "2", "done/1": "{}"}, "done/1"),
    ],
)
def test_that_of_another_one_is_not_guessed_at(stored: dict[str, str], why: str) -> None:
    assert why in (Journal(stored).unreadable or "")
