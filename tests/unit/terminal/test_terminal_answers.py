"""Words of `crewdeck answer` as actions of the API, and what a terminal shows of decisions."""

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.errors import InvalidInputs
from bot.terminal import decisions, editing, lines, record
from bot.terminal.answers import Action, AnswerOptions, action_of
from bot.terminal.screen import Screen
from crewdeck.client import Answer, Policy, Progress, Question, Record, Response, ToolCall, Viewer
from crewdeck.client.events import parse

DIGEST = f"sha256:{'ab12' * 16}"
CALL = ToolCall(
    tool="pay",
    title="Pay 5",
    arguments={"amount": 5, "note": "x", "tags": ["a"]},
    proposed={"amount": 5, "note": "x", "tags": ["a"]},
    editable=("amount", "note", "tags"),
    secret=("token",),
    parameters={"properties": {"amount": {"type": "integer"}, "note": {"type": "string"}}},
    digest=DIGEST,
)


def question(**fields: Any) -> Question:
    given: dict[str, Any] = {"question_id": "q", "run_id": "r", "kind": "approval", "prompt": "May it?"}
    return Question(**{**given, "digest": DIGEST, "actions": ("approve", "reject", "respond"), **fields})


GATE = question(action=CALL, actions=("approve", "reject"), source="gate")
ANSWERED = Viewer(response=Response(action="approve"))


@pytest.mark.parametrize(
    ("asked", "said", "options", "action"),
    [
        (question(), "approve", AnswerOptions(), None),
        (question(), "approve", AnswerOptions(comment="Fine"), Action("approve")),
        (question(), "reject", AnswerOptions(override=True), Action("reject")),
        (question(), "withdraw", AnswerOptions(), None),
        (question(viewer=ANSWERED), "Withdraw ", AnswerOptions(), Action("withdraw")),
        (question(kind="choice"), "withdraw", AnswerOptions(), None),
        (question(kind="choice", actions=("choose",)), "red", AnswerOptions(), Action("choose", "red")),
        (question(actions=("approve", "reject")), "Approve", AnswerOptions(), Action("approve")),
        (GATE, "reject", AnswerOptions(comment="No"), Action("reject")),
        (GATE, "approve", AnswerOptions(digest=DIGEST), Action("approve")),
        (GATE, "approve", AnswerOptions(digest="AB12AB12AB12"), Action("approve")),
        (
            GATE,
            "approve",
            AnswerOptions(digest=DIGEST, changes=("amount=7", "note=a=b", 'tags=["c"]')),
            Action("approve", arguments={"amount": 7, "note": "a=b", "tags": ["c"]}),
        ),
        (GATE, "yes, pay it", AnswerOptions(), None),
    ],
)
def test_words_are_actions_where_they_say_so(
    asked: Question, said: str, options: AnswerOptions, action: Action | None
) -> None:
    assert action_of(asked, said, options) == action


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (AnswerOptions(), "--digest"),
        (AnswerOptions(digest="ab12"), "--digest"),
        (AnswerOptions(digest="sha256:"), "--digest"),
        (AnswerOptions(digest="0" * 64), "--digest"),
        (AnswerOptions(digest=DIGEST, changes=("amount",)), "--set"),
        (AnswerOptions(digest=DIGEST, changes=("amount=many",)), "amount"),
        (AnswerOptions(digest=DIGEST, changes=("iban=1",)), "iban"),
        (AnswerOptions(digest=DIGEST, changes=("token=1",)), "token"),
    ],
)
def test_a_call_is_approved_by_its_digest_and_edited_by_name(options: AnswerOptions, what: str) -> None:
    with pytest.raises(InvalidInputs) as wrong:
        action_of(GATE, "approve", options)
    assert list(wrong.value.problems) == [what]


def printed(shown: list[decisions.StyledLine]) -> str:
    return "\n".join("".join(text for _, text in line) for line in shown)


def test_a_call_is_shown_with_all_that_an_approval_covers() -> None:
    edited = CALL.model_copy(update={"arguments": {**CALL.arguments, "note": "y\nPaid \x1b[2J"}})
    shown = printed(lines.asked(question(action=edited, policy=Policy(name="pay", who=("finance",), need=2))))
    for words in ("Pay 5", "May it?", "amount: 5", "edited, it was:", "x", "token: secret", "[U+001B]"):
        assert words in shown
    assert "Takes 2 of finance · policy pay" in shown
    assert "digest ab12ab12ab12" in shown
    assert not [line for line in shown.split("\n") if line.startswith(("Paid", "  ✓"))]


class Typist(Screen):
    """A screen before which somebody chooses, and types over what stands there; None: they leave it."""

    def __init__(self, chosen: Sequence[int], typed: Sequence[str | None]) -> None:
        self._chosen, self._typed = iter(chosen), iter(typed)

    async def choose(self, *_: Any, **__: Any) -> int:
        return next(self._chosen)

    async def words(self, *_: Any, **more: Any) -> str:
        """Without spaces at its ends, as a screen gives it."""
        typed = next(self._typed)
        text = more["default"] if typed is None else typed
        assert not more["check"](text.strip())
        return text.strip()

    def say(self, *lines: Any) -> None:
        """Nobody looks."""


@pytest.mark.parametrize(
    "value", ["Acme ", " ", "a\r\nb", None, 1.0, 12345678901234567891, {"a": [1.0]}, True]
)
async def test_an_argument_that_is_left_as_it_stands_is_no_edit(value: JsonValue) -> None:
    given = {"to": value, "note": "x"}
    call = CALL.model_copy(update={"arguments": given, "proposed": given, "editable": ("to", "note")})
    for schema in ({}, {"to": {"type": "string"}}):
        asked = question(action=call.model_copy(update={"parameters": {"properties": schema}}))
        assert await editing.edit(Typist([0, 2, 3], [None]), asked) is None
        edited = await editing.edit(Typist([0, 1, 2], [None, "y"]), asked)
        assert edited == editing.Edit(arguments={"note": "y"})


@pytest.mark.parametrize(
    ("before", "after"), [(1, True), (1, 1.0), ("true", True), ("5", 5), ("[]", []), ("Acme", "Acme ")]
)
def test_a_difference_of_types_and_ends_is_shown(before: JsonValue, after: JsonValue) -> None:
    [_, gone, new] = decisions.changes(ToolCall(tool="pay", arguments={"to": before}), {"to": after})
    assert gone[0][1].removeprefix("    - ") != new[0][1].removeprefix("    + ")


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(), ""),
        (
            Progress(approved=1, need=2, missing=("finance",), responses=(Response(answered_by="Ada"),)),
            "needs one more of finance",
        ),
        (
            Progress(approved=0, need=3, responses=(Response(answered_by="Ada", action="reject"),)),
            "0 of 3 · Ada rejected",
        ),
        (Progress(need=2, fell_out=(Response(answered_by="Eve", action="approve"),)), "counts no more"),
    ],
)
def test_progress_says_how_far_it_is_and_who_is_missing(progress: Progress, words: str) -> None:
    assert words in printed(decisions.progress_lines(progress))


def test_a_response_that_settles_nothing_is_one_line_and_its_edit_in_full() -> None:
    event = parse(
        '{"type":"human_input_recorded","question_id":"q","action":"approve","answered_by":"Ada",'
        '"surface":"slack","progress":{"approved":1,"need":2,"missing":["legal"]},'
        '"arguments":{"note":"new"}}',
        "",
    )
    shown = printed(lines.of(event))
    assert "Ada approved in Slack: 1 of 2 · needs one more of legal" in shown
    assert "earlier approvals no longer count" in shown
    assert "note: new" in shown


def test_what_counts_so_far_is_confirmed_and_can_be_taken_back() -> None:
    answer = Answer(action="approve", question_id="q", run_id="r", status="recorded", repeated=True)
    shown = printed(lines.own_answer(answer.model_copy(update={"progress": Progress(approved=1, need=2)})))
    assert "You approved already, which counts once: 1 of 2" in shown
    assert "crewdeck answer q withdraw" in shown


def test_texts_of_others_imitate_nothing_in_a_record() -> None:
    found = Record.model_validate(
        {
            "question_id": "q",
            "run_id": "r",
            "kind": "approval",
            "versions": [{"digest": DIGEST, "prompt": "a\n\nWho said what\n  eve approved\x1b[2J"}],
            "responses": [
                {"by": {"name": "Eve\nWho said what"}, "action": "reject", "comment": "No\nWhat ran"}
            ],
        }
    )
    told = record.text(found).split("\n")
    assert told.count("Who said what") == 1
    assert not [line for line in told if line.startswith("What ran")]
    assert "\x1b" not in "".join(told)


def test_a_record_says_of_an_open_question_that_nothing_ran_yet() -> None:
    version = {
        "digest": DIGEST,
        "prompt": "Pay?",
        "action": {"tool": "pay", "arguments": {}, "digest": DIGEST},
    }
    asked = {"question_id": "q", "run_id": "r", "kind": "approval", "versions": [version]}
    assert "Nothing yet: the question is open" in record.text(Record.model_validate(asked))
    rejected = Record.model_validate(asked | {"outcome": {"action": "reject"}})
    assert "Nothing: the call was not approved" in record.text(rejected)
