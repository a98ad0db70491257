"""Typical cards as the Block Kit that Slack gets, held as files: a review shows what people will see.

`CREWDECK_GOLDEN=write` in the environment writes the files anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.events.event import Body, Event, TaskCompleted, TaskStarted
from bot.core.forms.fields import Field, FieldType
from bot.core.locales import Locale
from bot.core.people.actor import Actor
from bot.core.people.policy import Group, Policy
from bot.core.questions.question import (
    Action,
    Counted,
    Deadline,
    Outcome,
    Question,
    QuestionKind,
    Source,
    options_for,
)
from bot.core.questions.question import Progress as QuestionProgress
from bot.core.questions.response import Approve
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunError, RunStatus
from bot.surfaces.chat.cards import Progress, progress, question_card, run_card
from bot.surfaces.chat.messages import Form, Message
from bot.surfaces.chat.wording import (
    batches,
    decision_forms,
    field_forms,
    home,
    outcomes,
    question_forms,
    question_messages,
    run_messages,
)
from bot.surfaces.chat.wording.field_forms import FormState
from bot.surfaces.slack.renderer import LIMITS, render_form, render_home, render_message
from tests.golden import files

HERE = Path(__file__).parent / "slack"
RUN = "6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31"
NOON = 1_790_000_000_000
ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA", name="Ada")
POLICY = Policy(deciders=("slack:T0:U0ADA", "slack:T0:U0BOB"))
CREW = Crew(
    name="announcement",
    title="Announcement",
    description="Drafts a customer announcement and has it approved.",
    inputs=(
        Field(name="topic", required=True, description="What it is about"),
        Field(name="tone", type=FieldType.CHOICE, choices=("plain", "playful"), default="plain"),
        Field(name="send_on", type=FieldType.DATE),
        Field(name="urgent", type=FieldType.BOOLEAN, default=False),
    ),
)


def a_run(status: RunStatus = RunStatus.RUNNING, **more: Any) -> Run:
    inputs: dict[str, JsonValue] = {"topic": "tide mills", "urgent": True}
    return Run(
        id=RUN, crew=CREW, status=status, inputs=inputs, requester=ADA, approvers=POLICY, cancellers=POLICY,
        created_at=NOON, started_at=NOON + 1000, **more,
    )  # fmt: skip


def a_question(kind: QuestionKind, prompt: str, labels: tuple[str, ...] = (), **more: Any) -> Question:
    asked = {"asker": "Writer", "deadline": Deadline(after=86400), "deadline_at": NOON + 86_400_000, **more}
    return Question(
        id="b3b0a5a2-9f7b-5f7e-8a39-6a4c0a3c0f11", run_id=RUN, kind=kind, prompt=prompt, policy=POLICY,
        options=options_for(kind, labels), **asked,
    )  # fmt: skip


def half_done() -> Progress:
    one = {"crew_id": "c", "task_id": "t1", "task": "Draft", "number": 1, "total": 2}
    two = {**one, "task_id": "t2", "task": "Edit", "number": 2}
    bodies: tuple[Body, ...] = (
        TaskStarted.model_validate({**one, "agent": "Writer"}),
        TaskCompleted.model_validate(one),
        TaskStarted.model_validate({**two, "agent": "Editor"}),
    )
    return progress(
        Event(run_id=RUN, seq=seq, at=NOON + seq * 30_000, body=body)
        for seq, body in enumerate(bodies, start=1)
    )


APPROVAL = a_question(QuestionKind.APPROVAL, "May I send this to all customers?", context="**Hello** there.")
SHORT_CHOICE = a_question(QuestionKind.CHOICE, "Which tone?", ("Plain", "Playful"))
LONG_CHOICE = a_question(QuestionKind.CHOICE, "Which day?", tuple(f"Day {n}" for n in range(1, 8)))
TEXT = a_question(QuestionKind.TEXT, "What is it called?", deadline=Deadline(), deadline_at=None)
REVIEW = a_question(QuestionKind.REVIEW, "Is this right?", context="# A draft", round=2, rounds=5)
LONG_REVIEW = REVIEW.model_copy(update={"context": "All of it. " * 2000})


def asked(question: Question) -> Message:
    return question_messages.ask(question_card(a_run(), question), LIMITS)


def settled(question: Question, **outcome: Any) -> Message:
    update = {"outcome": Outcome(**outcome), "settled_at": NOON + 60_000}
    return outcomes.settled(question_card(a_run(), question.model_copy(update=update)), LIMITS)


def ended(status: RunStatus, **more: Any) -> Run:
    return a_run(status, finished_at=NOON + 185_000, **more)


def a_home() -> Message:
    link = "https://crew.slack.com/archives/C0/p1"
    mine = home.AskedQuestion(question_card(a_run(), APPROVAL), link)
    return home.home([mine], [home.ListedRun(a_run(), link)], [CREW], LIMITS, more=False)


PAY = Policy(
    deciders=("slack::@finance", "slack::U0CFO"), who=("finance", "U0CFO"), name="pay", version="5f2a9c01d7",
    not_=("requester",), excluded=("slack:T0:U0ADA",), need=2, admins=False,
    groups=(Group(name="finance", members=("slack::@finance",)),),
)  # fmt: skip
BOB = Actor(surface="slack", tenant="T0", user_id="U0BOB", name="Bob")
EVE = Actor(surface="teams", tenant="3f2c", user_id="9d41", name="Eve *Adams*")
ARGUMENTS: dict[str, JsonValue] = {
    "recipient": "Acme Ltd",
    "amount": 1200,
    "reference": "Invoice 7",
    "note": "First line\namount: 1",
    "urgent": False,
    "copies": ["ada@example.com", "bob@example.com"],
}
CALL = ToolCall(
    tool="send_money", title="Send € 1,200 to Acme Ltd", arguments=ARGUMENTS, proposed=ARGUMENTS,
    editable=("reference", "note", "urgent"), secrets={"pin": "hmac"},
    parameters={
        "properties": {
            "reference": {"type": "string", "title": "Reference"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "urgent": {"type": "boolean", "description": "Pay today"},
        }
    },
)  # fmt: skip
GATE = a_question(
    QuestionKind.APPROVAL, "Send € 1,200 to Acme Ltd", source=Source.GATE, call=CALL
).model_copy(update={"policy": PAY})
BOBS = Counted(by=BOB, action=Action.APPROVE, at=NOON)
COUNTED_GATE = GATE.model_copy(
    update={"progress": QuestionProgress(approved=1, need=2, missing=("finance", "U0CFO"), counted=(BOBS,))}
)
EDITED_GATE = GATE.model_copy(
    update={
        "call": CALL.edited({"reference": "Invoice 8", "note": "First line\namount: 2"}),
        "progress": QuestionProgress(
            approved=1,
            need=2,
            missing=("finance",),
            counted=(BOBS.model_copy(update={"by": EVE}),),
            ineligible=(BOBS,),
        ),
    }
)
EDIT = Approve(actor=EVE, key="k", at=NOON, arguments={"reference": "Invoice 8"})
LONG: dict[str, JsonValue] = {**ARGUMENTS, "note": "All of it. " * 900}
LONG_GATE = GATE.model_copy(update={"call": CALL.model_copy(update={"arguments": LONG, "proposed": LONG})})
EDITED_REVIEW = REVIEW.model_copy(update={"proposed": "# A draft", "context": "# The final text"})


def asked_again(question: Question) -> Message:
    return question_messages.ask(question_card(a_run(), question, [EDIT]), LIMITS)


def a_batch() -> Message:
    short = CALL.model_copy(update={"arguments": {"to": "Ada"}, "proposed": {"to": "Ada"}, "secrets": {}})
    first = GATE.model_copy(update={"id": "q-1", "call": short})
    second = GATE.model_copy(update={"id": "q-2", "digest": "", "prompt": "Long", "context": "x" * 700})
    third = APPROVAL.model_copy(
        update={"id": "q-3", "outcome": Outcome(action=Action.REJECT, by=BOB), "settled_at": NOON}
    )
    return batches.batch([question_card(a_run(), each) for each in (first, second, third)], LIMITS)


def edit_form(question: Question) -> Form:
    form = decision_forms.edit_form(question, LIMITS)
    assert form is not None
    return form


ERROR = RunError(code="model_error", message="The model did not answer.")
CARDS: dict[str, Message | Form] = {
    "run_queued": run_messages.progress(run_card(a_run(RunStatus.QUEUED), Progress())),
    "run_working": run_messages.progress(run_card(a_run(), half_done())),
    "run_waiting": run_messages.progress(run_card(a_run(RunStatus.INPUT_REQUIRED), half_done(), [APPROVAL])),
    "run_completed": run_messages.progress(run_card(ended(RunStatus.COMPLETED), half_done())),
    "result": run_messages.completed(
        run_card(ended(RunStatus.COMPLETED), half_done()), "# Tide mills\n\nThey turn.", LIMITS
    ),
    "failure": run_messages.failed(run_card(ended(RunStatus.FAILED, error=ERROR), half_done())),
    "cancelled": run_messages.cancelled(run_card(ended(RunStatus.CANCELLED, cancelled_by=ADA), half_done())),
    "approval": asked(APPROVAL),
    "choice_buttons": asked(SHORT_CHOICE),
    "choice_select": asked(LONG_CHOICE),
    "text": asked(TEXT),
    "review": asked(REVIEW),
    "review_shortened": asked(LONG_REVIEW),
    "approval_approved": settled(APPROVAL, action=Action.APPROVE, by=ADA),
    "approval_expired": settled(APPROVAL, action=Action.EXPIRE),
    "approval_withdrawn": settled(APPROVAL, action=Action.CANCEL),
    "choice_chosen": settled(SHORT_CHOICE, action=Action.CHOOSE, value="2", by=ADA),
    "review_changes": settled(REVIEW, action=Action.RESPOND, comment="Shorter,\nplease.", by=ADA),
    "run_changed": run_messages.changed(
        run_card(a_run(), half_done()), "Goes on with gpt-5.5 instead of gpt-5.4-mini."
    ),
    "reminder": question_messages.reminder(
        question_card(a_run(), APPROVAL), "https://crew.slack.com/archives/C0/p1"
    ),
    "form_reply": question_forms.reply_form(APPROVAL),
    "form_start": field_forms.start_form(
        CREW, RUN, FormState(CREW.inputs, {"topic": "tide mills"}, Locale()), LIMITS
    ),
    "gate": asked(GATE),
    "gate_counted": asked(COUNTED_GATE),
    "gate_edited": asked_again(EDITED_GATE),
    "gate_shortened": asked(LONG_GATE),
    "gate_approved": settled(
        GATE,
        action=Action.APPROVE,
        by=EVE,
        responses=(BOBS, BOBS.model_copy(update={"by": EVE, "comment": "ok"})),
    ),
    "gate_edit_told": question_messages.edited(question_card(a_run(), EDITED_GATE, [EDIT]), None, LIMITS),
    "review_edited": settled(EDITED_REVIEW, action=Action.APPROVE, by=ADA),
    "batch": a_batch(),
    "form_edit": edit_form(GATE),
    "form_edit_review": edit_form(REVIEW),
    "form_reject": decision_forms.reject_form(GATE),
    "window_gate": question_forms.full_text(a_run(), LONG_GATE, LIMITS),
    "window_full": question_forms.full_text(a_run(), REVIEW, LIMITS),
    "home": a_home(),
}


def rendered(name: str) -> dict[str, Any]:
    card = CARDS[name]
    if isinstance(card, Form):
        return render_form(card)
    return render_home(card) if name == "home" else render_message(card)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_what_it_was(name: str) -> None:
    shown = rendered(name)
    assert shown == files.held(HERE / f"{name}.json", shown)


def test_every_file_is_a_cards() -> None:
    assert {file.stem for file in HERE.glob("*.json")} == set(CARDS)
