"""Forms of several steps in Slack's modals: Back, More, changes and closing, through the real Bolt app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.forms.fields import Field, FieldType
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, Source
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.crew import Crew
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target, input_field
from bot.surfaces.chat.inbound.form_values import FormDrafts
from bot.surfaces.chat.wording import decision_forms
from bot.surfaces.chat.wording.decision_forms import TEXT_FIELD, argument_field
from bot.surfaces.slack.renderer import LIMITS
from tests.contract.chat.memory_inbound import target_of
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.slack_inbound import SlackChat, slack_chat_over_a_socket, slack_chat_over_http
from tests.loopback.slack import Person
from tests.loopback.slack.shown import View
from tests.waiting import WITHIN

CHATS = {"http": slack_chat_over_http, "socket": slack_chat_over_a_socket}
ORDER = (
    Field(name="amount", type=FieldType.NUMBER, required=True, min=0),
    Field(name="pieces", type=FieldType.INTEGER, default=1),
    *(Field(name=f"note_{number}") for number in range(1, 6)),
)
AMOUNT, PIECES, NOTE, LAST = (input_field(each) for each in ("amount", "pieces", "note_1", "note_5"))


@pytest.fixture(params=CHATS.values(), ids=list(CHATS))
async def chat(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[SlackChat]:
    async with request.param(redis_url) as made:
        yield made


async def asked(chat: SlackChat, *deciders: str, form: tuple[Field, ...] = ORDER) -> Question:
    return await chat.asking("ok", *(deciders or (ADA, BOB)), kind=QuestionKind.FORM, options=(), form=form)


async def opened(chat: SlackChat, user: str, question: Question) -> tuple[Person, View]:
    """Who fills in the form, and its first step."""
    await chat.opens(user, actions.OPEN_REPLY, target_of(question))
    return chat.people[user], chat.slack.view(chat.people[user].id)


async def submitted(chat: SlackChat, who: Person, given: dict[str, str]) -> View:
    """What the modal on this person's screen shows after these values were sent in it."""
    sent = await who.submit(chat.slack.view(who.id), given)
    assert not sent.field_errors
    return chat.slack.view(who.id)


async def outcome_of(chat: SlackChat, question: Question) -> Outcome | None:
    return (await chat.store.questions.get(question.run_id, question.id)).outcome


def values_in(view: View) -> dict[str, str]:
    """What the fields of a modal start with."""
    inputs = (each for each in view.blocks if each["type"] == "input")
    return {each["block_id"]: each["element"].get("initial_value", "") for each in inputs}


async def settled_by_ada(chat: SlackChat, question: Question) -> None:
    """Ada fills in both steps."""
    ada, _ = await opened(chat, ADA, question)
    await submitted(chat, ada, {AMOUNT: "1"})
    assert not (await ada.submit(chat.slack.view(ada.id), {LAST: "hers"})).field_errors
    assert await chat.outcome(question) == Action.SUBMIT


# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_back_keeps_what_was_just_typed_even_where_it_is_wrong(chat: SlackChat) -> None:
    question = await asked(chat)
    bob, _ = await opened(chat, BOB, question)
    second = await submitted(chat, bob, {AMOUNT: "12.5", NOTE: "early"})
    assert "Step 2 of 2" in second.words
    await bob.press(bob.typed(second, {LAST: "typed just now"}), actions.PREVIOUS_STEP)
    await chat.inbound.background.drain(WITHIN)
    first = chat.slack.view(bob.id)
    assert "Step 1 of 2" in first.words
    assert values_in(first)[AMOUNT] == "12.5"
    assert values_in(first)[NOTE] == "early"
    # Here something is changed, too, before the second step is shown again.
    assert values_in(await submitted(chat, bob, {AMOUNT: "13"}))[LAST] == "typed just now"
    assert not (await bob.submit(chat.slack.view(bob.id), {})).field_errors
    outcome = await outcome_of(chat, question)
    assert outcome is not None
    assert outcome.values == {"amount": 13, "pieces": 1, "note_1": "early", "note_5": "typed just now"}


async def test_more_shows_the_next_step_of_a_start_with_what_was_typed(chat: SlackChat) -> None:
    crew = Crew(
        name="longform",
        title="Long form",
        main_input="topic",
        inputs=(Field(name="topic", required=True), *ORDER[1:]),
    )
    await chat.store.catalogue.announce("tests", [crew])
    await chat.command(ADA, f"start {crew.name}")
    ada = chat.people[ADA]
    first = chat.slack.view(ada.id)
    await ada.press(ada.typed(first, {input_field("topic"): "mills"}), actions.NEXT_STEP)
    await chat.inbound.background.drain(WITHIN)
    second = chat.slack.view(ada.id)
    assert "Step 2 of 2" in second.words
    await ada.press(second, actions.PREVIOUS_STEP)
    await chat.inbound.background.drain(WITHIN)
    assert values_in(chat.slack.view(ada.id))[input_field("topic")] == "mills"


async def test_changes_and_closing_keep_the_draft(chat: SlackChat) -> None:
    question = await asked(chat)
    bob, first = await opened(chat, BOB, question)
    await bob.change(bob.typed(first, {AMOUNT: "3"}), AMOUNT)
    await chat.inbound.background.drain(WITHIN)
    drafts = FormDrafts(chat.person(BOB).surface, chat.store.key_values)
    assert (await drafts.of(question.id, chat.person(BOB)))["amount"] == "3"
    await bob.close(bob.typed(first, {AMOUNT: "4", NOTE: "closed"}))
    await chat.inbound.background.drain(WITHIN)
    _, again = await opened(chat, BOB, question)
    assert values_in(again)[AMOUNT] == "4"
    assert values_in(again)[NOTE] == "closed"


@pytest.mark.parametrize(
    ("action", "kind"),
    [(actions.OPEN_REPLY, QuestionKind.TEXT), (actions.OPEN_REJECT, QuestionKind.APPROVAL)],
)
async def test_words_in_a_form_that_is_closed_are_kept_for_their_writer(
    chat: SlackChat, action: str, kind: QuestionKind
) -> None:
    more: dict[str, Any] = {"options": ()} if kind is QuestionKind.TEXT else {}
    question = await chat.asking("ok", ADA, BOB, kind=kind, **more)
    await chat.opens(BOB, action, target_of(question))
    bob = chat.people[BOB]
    await bob.close(bob.typed(chat.slack.view(bob.id), {actions.REPLY_FIELD: "half a thought"}))
    await chat.inbound.background.drain(WITHIN)
    await chat.opens(BOB, action, target_of(question))
    assert values_in(chat.slack.view(bob.id)) == {actions.REPLY_FIELD: "half a thought"}
    await chat.opens(ADA, action, target_of(question))
    assert values_in(chat.slack.view(chat.people[ADA].id)) == {actions.REPLY_FIELD: ""}
    assert await chat.outcome(question) == ""


async def test_an_edit_is_kept_until_something_else_is_asked(chat: SlackChat) -> None:
    more: dict[str, Any] = {"kind": QuestionKind.REVIEW, "options": (), "context": "A draft"}
    question = await chat.asking("ok", ADA, BOB, **more)
    bob = chat.people[BOB]
    await chat.opens(BOB, actions.OPEN_EDIT, target_of(question))
    await bob.close(bob.typed(chat.slack.view(bob.id), {TEXT_FIELD: "A better draft"}))
    await chat.inbound.background.drain(WITHIN)
    await chat.opens(BOB, actions.OPEN_EDIT, target_of(question))
    assert values_in(chat.slack.view(bob.id)) == {TEXT_FIELD: "A better draft"}
    form = decision_forms.edit_form(question.model_copy(update={"digest": f"sha256:{'0' * 64}"}), LIMITS)
    assert form is not None
    assert await chat.inbound.engine.forms.with_draft(form, chat.person(BOB)) == form


async def test_a_redelivered_step_changes_nothing_and_no_step_passes_for_another(chat: SlackChat) -> None:
    question = await asked(chat)
    bob, first = await opened(chat, BOB, question)
    sent = await bob.submit(first, {AMOUNT: "12"})
    second = chat.slack.view(bob.id)
    assert second.id == first.id
    again = await bob.redeliver(sent)
    assert again.body == sent.body
    done = await bob.submit(second, {LAST: "soon"})
    for repeated in (done, sent):
        redelivered = await bob.redeliver(repeated)
        assert redelivered.ok
        assert not redelivered.field_errors
    outcome = await outcome_of(chat, question)
    assert outcome is not None
    assert outcome.values == {"amount": 12, "pieces": 1, "note_5": "soon"}
    assert len(await chat.store.questions.responses(question.run_id, question.id)) == 1


# ── somebody else was first ─────────────────────────────────────────────────────────────────────────────────


async def test_who_is_late_sees_who_was_first_and_all_that_they_typed(chat: SlackChat) -> None:
    question = await asked(chat)
    bob, _ = await opened(chat, BOB, question)
    await submitted(chat, bob, {AMOUNT: "12.5", NOTE: "from the first step"})
    await settled_by_ada(chat, question)
    late = await submitted(chat, bob, {LAST: "from the last step"})
    for words in ("Ada was first", "12.5", "from the first step", "from the last step"):
        assert words in late.words
    outcome = await outcome_of(chat, question)
    assert outcome is not None
    assert outcome.values == {"amount": 1, "pieces": 1, "note_5": "hers"}


@pytest.mark.parametrize("action", [actions.PREVIOUS_STEP, "next"])
async def test_who_turns_a_page_too_late_sees_it_as_well(chat: SlackChat, action: str) -> None:
    question = await asked(chat)
    bob, first = await opened(chat, BOB, question)
    second = first if action == "next" else await submitted(chat, bob, {AMOUNT: "12.5", NOTE: "first"})
    await settled_by_ada(chat, question)
    if action == "next":
        late = await submitted(chat, bob, {AMOUNT: "12.5", NOTE: "first"})
    else:
        await bob.press(bob.typed(second, {LAST: "mine"}), action)
        await chat.inbound.background.drain(WITHIN)
        late = chat.slack.view(bob.id)
        assert "mine" in late.words
    assert "Ada was first" in late.words
    assert "12.5" in late.words


async def test_who_closes_the_modal_too_late_is_told_privately_what_they_typed(chat: SlackChat) -> None:
    question = await asked(chat)
    bob, _ = await opened(chat, BOB, question)
    second = await submitted(chat, bob, {AMOUNT: "12.5", NOTE: "first step"})
    await settled_by_ada(chat, question)
    await bob.close(bob.typed(second, {LAST: "last step"}))
    await chat.inbound.background.drain(WITHIN)
    told = chat.slack.messages(bob.im)[-1].words
    for words in ("Ada was first", "12.5", "first step", "last step"):
        assert words in told


async def test_who_comes_back_later_still_finds_what_they_typed(chat: SlackChat) -> None:
    question = await asked(chat)
    bob, first = await opened(chat, BOB, question)
    await bob.close(bob.typed(first, {AMOUNT: "77"}))
    await settled_by_ada(chat, question)
    shown = await chat.opens(BOB, actions.OPEN_REPLY, target_of(question))
    assert "Ada was first" in shown
    assert "77" in shown


async def test_a_long_text_is_given_back_whole_behind_a_button(chat: SlackChat) -> None:
    question = await asked(
        chat, form=(Field(name="essay", type=FieldType.TEXT), Field(name="more", type=FieldType.TEXT))
    )
    bob, first = await opened(chat, BOB, question)
    essay, more = "tide " * 580, "mill " * 580 + "END"
    ada, hers = await opened(chat, ADA, question)
    assert not (await ada.submit(hers, {})).field_errors
    await bob.close(bob.typed(first, {input_field("essay"): essay, input_field("more"): more}))
    await chat.inbound.background.drain(WITHIN)
    told = chat.slack.messages(bob.im)[-1]
    assert "END" not in told.words
    await bob.press(told, actions.OPEN_UNCOUNTED)
    await chat.inbound.background.drain(WITHIN)
    assert "END" in chat.slack.view(bob.id).words


async def test_nobody_gets_what_another_typed(chat: SlackChat) -> None:
    question = await asked(chat)
    bob, first = await opened(chat, BOB, question)
    await bob.close(bob.typed(first, {NOTE: "a secret of Bob's"}))
    await settled_by_ada(chat, question)
    told = await chat.press(ADA, actions.OPEN_UNCOUNTED, Target(question.run_id, question.id))
    assert "no longer there" in told


# ── what comes after the acknowledgement ────────────────────────────────────────────────────────────────────


async def test_a_submission_that_takes_too_long_is_answered_privately(chat: SlackChat) -> None:
    question = await asked(chat, form=ORDER[:2])
    bob, first = await opened(chat, BOB, question)
    await chat.inbound.people.changed(bob.id)
    chat.slack.delay("users.info", 2, times=1)
    sent = await bob.submit(first, {AMOUNT: "-1", PIECES: "7"})
    assert sent.ok
    assert sent.elapsed < 3
    await chat.inbound.background.drain(WITHIN)
    told = chat.slack.messages(bob.im)[-1]
    assert "amount" in told.words.lower()
    await bob.press(told, actions.OPEN_REPLY)
    await chat.inbound.background.drain(WITHIN)
    assert values_in(chat.slack.view(bob.id)) == {AMOUNT: "-1", PIECES: "7"}


async def test_words_that_take_too_long_and_do_not_count_come_back(chat: SlackChat) -> None:
    question = await chat.asking("ok", ADA, BOB, kind=QuestionKind.TEXT, options=())
    bob, view = await opened(chat, BOB, question)
    await chat.says(ADA, "hers")
    await chat.inbound.people.changed(bob.id)
    chat.slack.delay("users.info", 2, times=1)
    assert (await bob.submit(view, {actions.REPLY_FIELD: "words that Bob wrote"})).ok
    await chat.inbound.background.drain(WITHIN)
    told = chat.slack.messages(bob.im)[-1].words
    assert "already settled" in told
    assert "words that Bob wrote" in told


ADDRESSES: dict[str, JsonValue] = {"route": "2001:db8:a:1 [:x:]", "note": "Ship it :rocket:", "count": 1}


async def test_an_edit_changes_nothing_but_what_was_edited(chat: SlackChat) -> None:
    call = ToolCall(
        tool="announce", arguments=ADDRESSES, proposed=ADDRESSES, editable=("route", "note", "count")
    )
    question = await chat.asking(source=Source.GATE, call=call)
    await chat.opens(ADA, actions.OPEN_EDIT, target_of(question))
    edited = {argument_field("count"): "2"}
    sent = await chat.people[ADA].submit(chat.slack.view(chat.people[ADA].id), edited)
    assert not sent.field_errors
    outcome = await outcome_of(chat, question)
    assert outcome is not None
    assert outcome.arguments == ADDRESSES | {"count": 2}


async def test_what_is_typed_into_a_form_is_what_is_sent(chat: SlackChat) -> None:
    question = await asked(chat, form=(Field(name="note_1"), Field(name="note_5")))
    ada, view = await opened(chat, ADA, question)
    assert not (await ada.submit(view, {NOTE: "fe80::a:b and 1:100:5", LAST: "Done :tada:"})).field_errors
    outcome = await outcome_of(chat, question)
    assert outcome is not None
    assert outcome.values == {"note_1": "fe80::a:b and 1:100:5", "note_5": "Done 🎉"}


@pytest.mark.parametrize(
    ("refused", "told"),
    [("expired_trigger_id", "Please press again"), ("invalid_arguments", "/crew console")],
)
async def test_nobody_has_read_what_slack_did_not_show(chat: SlackChat, refused: str, told: str) -> None:
    question = await chat.asking_at_length()
    chat.slack.fail("views.open", error=refused, times=None)
    assert told in await chat.press(ADA, actions.OPEN_FULL, target_of(question))
    assert (await chat.store.questions.record(question.run_id, question.id)).opened == ()
    chat.slack.heal()
    await chat.opens(ADA, actions.OPEN_FULL, target_of(question))
    [receipt] = (await chat.store.questions.record(question.run_id, question.id)).opened
    assert receipt.by == chat.person(ADA).model_copy(update={"authentication": "slack"})
