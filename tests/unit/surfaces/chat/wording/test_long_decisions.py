"""However much is edited and however many people answer, their messages are such as Slack takes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions.question import (
    APPROVAL_OPTIONS,
    Action,
    Counted,
    Outcome,
    Progress,
    Question,
    QuestionKind,
    Source,
)
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.wording import batches, outcomes, question_forms, question_messages
from bot.surfaces.slack.renderer import LIMITS, render_form, render_message
from tests.loopback.slack.blocks import check_message_blocks, check_view, texts

PEOPLE = [Actor(surface="slack", tenant="T0", user_id=f"U{at:05}", name="N" * 60) for at in range(60)]
SHORT: dict[str, JsonValue] = {"to": "Acme"}
LONG: dict[str, JsonValue] = {f"a{at}": "x" * 3000 for at in range(6)}
MANY: dict[str, JsonValue] = {f"a{at}": "x" * 190 for at in range(80)}
HIDDEN: dict[str, JsonValue] = {f"a{at}": "\u202e\u202d" * 400 for at in range(3)}
LINES: dict[str, JsonValue] = {f"a{at}": "x\n" * 2 for at in range(40)}


def asked(before: dict[str, JsonValue], after: dict[str, JsonValue], words: str, people: int) -> Question:
    call = ToolCall(tool="pay", arguments=after, proposed=before, editable=tuple(before))
    counted = tuple(
        Counted(by=each, action=(Action.APPROVE, Action.REJECT)[at % 2], comment=words, at=1000)
        for at, each in enumerate(PEOPLE[:people])
    )
    policy = Policy(
        deciders=tuple(each.principal for each in PEOPLE), need=people, name="pay", version="1", admins=False
    )
    return Question(
        id="q",
        run_id="6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31",
        kind=QuestionKind.APPROVAL,
        source=Source.GATE,
        prompt="May it?",
        options=APPROVAL_OPTIONS,
        policy=policy,
        call=call,
        digest=f"sha256:{'0' * 64}",
        progress=Progress(approved=1, need=people, counted=counted, ineligible=counted),
        outcome=Outcome(action=Action.APPROVE, by=PEOPLE[0], comment=words, responses=counted),
    )


def run() -> Run:
    policy = Policy(deciders=())
    more: dict[str, Any] = {"approvers": policy, "cancellers": policy, "created_at": 0}
    return Run(
        id="6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31",
        crew=Crew(name="pay", title="Pay"),
        status=RunStatus.RUNNING,
        requester=PEOPLE[0],
        **more,
    )


@pytest.mark.parametrize("people", [1, 2, 25, 60])
@pytest.mark.parametrize("words", ["", "w " * 2000], ids=["silent", "wordy"])
@pytest.mark.parametrize(
    "values", [SHORT, LONG, MANY, HIDDEN, LINES], ids=["short", "long", "many", "hidden", "lines"]
)
def test_what_was_edited_and_decided_can_be_posted(
    values: dict[str, JsonValue], words: str, people: int
) -> None:
    after: dict[str, JsonValue] = {name: f"{value}, edited" for name, value in values.items()}
    settled = asked(values, after, words, people)
    card = question_card(run(), settled.model_copy(update={"outcome": None}))
    done = question_card(run(), settled)
    ten = [
        question_card(
            run(), settled.model_copy(update={"id": f"q{at}"} | ({} if at % 2 else {"outcome": None}))
        )
        for at in range(10)
    ]
    shown: dict[str, Message] = {
        "asked": question_messages.ask(card, LIMITS),
        "told of the edit": question_messages.edited(card, None, LIMITS),
        "reminded": question_messages.reminder(card, None),
        "read only": question_messages.read_only(card, LIMITS),
        "settled": outcomes.settled(done, LIMITS),
        "beside others": batches.batch(ten, LIMITS),
    }
    for message in shown.values():
        check_message_blocks(render_message(message)["blocks"])
    for each in ("told of the edit", "settled"):
        read = "".join(texts(render_message(shown[each])["blocks"]))
        assert "dited" in read


def test_what_a_message_can_not_hold_of_an_edit_is_said_to_be_at_the_question() -> None:
    card = question_card(run(), asked(LONG, dict.fromkeys(LONG, "y"), "", 2))
    read = "".join(texts(render_message(question_messages.edited(card, None, LIMITS))["blocks"]))
    assert "the question shows all of it" in read
    assert "xxx" not in read
    short = question_card(run(), asked(SHORT, {"to": "Eve"}, "", 2))
    read = "".join(texts(render_message(question_messages.edited(short, None, LIMITS))["blocks"]))
    assert "Eve" in read
    assert "too long" not in read


def test_of_very_many_people_the_last_are_named_and_the_others_counted() -> None:
    read = "".join(
        texts(
            render_message(outcomes.settled(question_card(run(), asked(SHORT, SHORT, "", 60)), LIMITS))[
                "blocks"
            ]
        )
    )
    assert "40 more before them" in read


def test_who_opens_all_of_a_settled_question_reads_its_outcome() -> None:
    question = asked(SHORT, SHORT, "", 2)
    settled = render_form(question_forms.full_text(run(), question, LIMITS))
    check_view(settled, "modal")
    assert "Approved" in "".join(texts(settled["blocks"]))
    open_question = question.model_copy(update={"outcome": None})
    still = render_form(question_forms.full_text(run(), open_question, LIMITS))
    assert "Approved" not in "".join(texts(still["blocks"]))
