"""What a worker makes of a run's journal."""

import json

import pytest

from crews.journal.journal import Journal

SAID = json.dumps({"result": "said"})


def test_steps_of_the_run_that_is_tried_again_are_found_and_not_missed() -> None:
    journal = Journal({"kept/t1/model/x/0": SAID, "t1/model/y/0": SAID, "kept/done/1": "{}"})
    assert journal.found("t1/model/x/0") == {"result": "said"}
    assert journal.kept("t1/model/x/0")
    assert not journal.kept("t1/model/y/0")
    assert journal.left("t1") == ["t1/model/y/0"]
    assert dict(journal.under("done/")) == {"done/1": {}}


def test_what_the_run_took_itself_comes_first() -> None:
    journal = Journal({"kept/done/1": '"theirs"', "done/1": '"own"', "kept/t/tool/x/0?": "2 old"})
    assert dict(journal.under("done/")) == {"done/1": "own"}
    begun = Journal({"kept/m:send:0?": "1 old", "kept/m:send:0/begun": '{"number": 1}'})
    assert dict(begun.under("m:", "/begun")) == {"m:send:0/begun": {"number": 1}}
    assert (journal.intended("t/tool/x/0"), journal.first_begun("t/tool/x/0")) == (2, "old")
    assert (journal.intended("t/tool/y/0"), journal.first_begun("t/tool/y/0")) == (0, None)


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
        ({"format": "3"}, "form 3"),
        ({"t1/model/x/0": SAID}, "form 1"),
        ({"format": "2", "t1/model/x/0": '{"answer": 1}'}, "t1/model/x/0"),
        ({"format": "2", "kept/t1/tool/x/0": "[]"}, "t1/tool/x/0"),
        ({"format": "2", "t1/prompt/x/0": "{}"}, "t1/prompt/x/0"),
        ({"format": "2", "done/1": "\x80\x04"}, "done/1"),
        ({"format": "2", "done/1": "{}"}, "done/1"),
    ],
)
def test_that_of_another_one_is_not_guessed_at(stored: dict[str, str], why: str) -> None:
    assert why in (Journal(stored).unreadable or "")
