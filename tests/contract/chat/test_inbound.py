"""What people do in chat, on any platform: commands, presses, replies and forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.core.lists import RunFilter
from bot.core.question import Action, QuestionKind
from bot.core.run import Run, RunStatus
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target, input_field
from bot.surfaces.chat.message_keys import Posted
from tests.contract.chat.memory_inbound import (
    ADA,
    BOB,
    CHANNEL,
    MemoryChat,
    memory_chat,
    person,
    target_of,
    text_of,
)

POSTED = Posted(CHANNEL, "m7")


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[MemoryChat]:
    async with memory_chat(redis_url) as made:
        yield made


async def runs_of(chat: MemoryChat, user: str) -> list[Run]:
    return await chat.store.runs.list(RunFilter(requester=person(user).principal, limit=10))


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────


async def test_help_says_what_can_be_said_and_what_was_probably_meant(chat: MemoryChat) -> None:
    assert "start <crew>" in await chat.command(ADA, "help")
    assert "status" in await chat.command(ADA, "statsu")


async def test_list_shows_the_crews_and_what_they_need(chat: MemoryChat) -> None:
    listed = await chat.command(ADA, "list")
    assert "Greeter" in listed
    assert "topic" in listed
    assert "required" in listed


async def test_start_starts_a_run_that_waits_for_its_thread(chat: MemoryChat) -> None:
    said = await chat.command(ADA, "start greeter tide mills")
    assert "Starting" in said
    [run] = await runs_of(chat, ADA)
    assert run.inputs["topic"] == "tide mills"
    assert run.awaiting_thread


async def test_a_start_that_is_delivered_twice_starts_one_run(chat: MemoryChat) -> None:
    for _ in range(2):
        await chat.says(ADA, "start greeter tide mills", direct=True, thread="", message_id="m-once")
    assert len(await runs_of(chat, ADA)) == 1


async def test_wrong_inputs_are_explained_and_start_nothing(chat: MemoryChat) -> None:
    assert "count" in await chat.command(ADA, "start greeter count=many tide mills")
    assert await runs_of(chat, ADA) == []


async def test_status_shows_ones_own_runs_and_those_of_the_channel(chat: MemoryChat) -> None:
    claim = await chat.claimed()
    assert claim.run.id[:8] in await chat.command(ADA, "status")
    assert "Other runs in this channel" in await chat.command(BOB, "status")
    assert "running" in await chat.command(ADA, f"status {claim.run.id[:8]}")


async def test_cancel_is_for_who_may(chat: MemoryChat) -> None:
    claim = await chat.claimed()
    assert "isn't yours to cancel" in await chat.command(BOB, f"cancel {claim.run.id[:8]}")
    assert (await chat.store.runs.get(claim.run.id)).status is RunStatus.RUNNING
    assert "Cancelled" in await chat.command(ADA, f"cancel {claim.run.id[:8]}")
    assert (await chat.store.runs.get(claim.run.id)).status is RunStatus.CANCELLED


# ── presses ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_press_settles_and_is_answered_with_nothing(chat: MemoryChat) -> None:
    question = await chat.asking()
    assert await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question), posted=POSTED) == ""
    assert await chat.outcome(question) == Action.APPROVE
    assert chat.platform.adopted == [POSTED]


async def test_a_press_of_somebody_who_may_not_is_explained_and_changes_nothing(chat: MemoryChat) -> None:
    question = await chat.asking()
    assert "isn't yours" in await chat.press(BOB, actions.ANSWER_APPROVE, target_of(question))
    assert await chat.outcome(question) == ""


async def test_the_same_press_twice_counts_once_and_is_not_explained(chat: MemoryChat) -> None:
    question = await chat.asking()
    for _ in range(2):
        assert await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question), key="press-once") == ""
    assert len(await chat.store.questions.responses(question.run_id, question.id)) == 1


async def test_a_press_on_a_settled_question_is_explained_and_its_message_shows_the_outcome(
    chat: MemoryChat,
) -> None:
    question = await chat.asking()
    await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question))
    late = await chat.press(ADA, actions.ANSWER_REJECT, target_of(question), posted=POSTED)
    assert "already settled" in late
    assert await chat.outcome(question) == Action.APPROVE
    assert chat.platform.shown_outcomes == [POSTED]


async def test_a_press_on_what_is_not_asked_now_decides_nothing(chat: MemoryChat) -> None:
    question = await chat.asking()
    stale = target_of(question, digest=f"sha256:{'0' * 64}")
    assert await chat.press(ADA, actions.ANSWER_APPROVE, stale) != ""
    assert await chat.outcome(question) == ""


async def test_a_press_in_a_form_is_answered_in_it(chat: MemoryChat) -> None:
    question = await chat.asking()
    await chat.press(ADA, actions.OPEN_FULL, target_of(question), form_handle="h1")
    assert "Publish it?" in text_of(chat.platform.opened["h1"])
    await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question), form_id="f1")
    assert "Recorded" in text_of(chat.platform.replaced["f1"])
    assert await chat.outcome(question) == Action.APPROVE


async def test_a_press_of_somebody_unknown_decides_nothing(chat: MemoryChat) -> None:
    question = await chat.asking()
    chat.platform.strangers.add(ADA)
    assert "who you are" in await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question))
    assert await chat.outcome(question) == ""


async def test_a_button_that_is_not_known_says_so(chat: MemoryChat) -> None:
    assert "does nothing any more" in await chat.press(ADA, "of.another.release", Target("r1"))


# ── replies ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reply_in_words_answers_the_question_of_the_thread(chat: MemoryChat) -> None:
    question = await chat.asking(kind=QuestionKind.TEXT, options=())
    assert await chat.says(ADA, "Make it shorter") == ""
    assert await chat.outcome(question) == Action.RESPOND


async def test_a_reply_that_names_a_button_counts_as_it(chat: MemoryChat) -> None:
    question = await chat.asking()
    assert await chat.says(ADA, "Approve") == ""
    assert await chat.outcome(question) == Action.APPROVE


async def test_a_reply_decides_nothing_of_which_the_thread_shows_the_beginning_only(chat: MemoryChat) -> None:
    question = await chat.asking()
    chat.platform.shortened.add(question.id)
    assert "Show all" in await chat.says(ADA, "Approve")
    assert await chat.outcome(question) == ""


async def test_talk_between_people_is_left_alone(chat: MemoryChat) -> None:
    question = await chat.asking(kind=QuestionKind.TEXT, options=())
    talk: dict[str, Any] = {"names_others": True, "speaks_to_others": True}
    assert "not taken as an answer" in await chat.says(ADA, "@bob what do you think?", **talk)
    assert await chat.says(ADA, "@bob and now?", **talk) == ""
    assert await chat.outcome(question) == ""


async def test_which_one_is_asked_where_a_reply_may_answer_several_questions(chat: MemoryChat) -> None:
    first = await chat.asking("first", kind=QuestionKind.TEXT, options=(), prompt="Which colour?")
    second = await chat.asking("second", kind=QuestionKind.TEXT, options=(), prompt="Which shape?")
    asked = await chat.says(ADA, "blue", message_id="m-blue")
    assert "Which question is that for?" in asked
    assert "Which colour?" in asked
    assert "Which shape?" in asked
    assert [await chat.outcome(each) for each in (first, second)] == ["", ""]
    told = await chat.press(ADA, actions.which(first.id), target_of(first, "m-blue"))
    assert "passed on" in told
    assert await chat.outcome(first) == Action.RESPOND
    again = await chat.press(ADA, actions.which(second.id), target_of(second, "m-blue"))
    assert "already passed on" in again
    assert await chat.outcome(second) == ""


async def test_a_reply_of_somebody_who_may_not_is_explained_once(chat: MemoryChat) -> None:
    question = await chat.asking()
    assert "isn't yours" in await chat.says(BOB, "Approve")
    assert await chat.says(BOB, "Approve!") == ""
    assert await chat.outcome(question) == ""


async def test_a_message_outside_of_our_threads_is_left_alone(chat: MemoryChat) -> None:
    await chat.asking()
    assert await chat.says(ADA, "Approve", thread="elsewhere") == ""
    assert await chat.says(ADA, "Approve", from_person=False) == ""


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_missing_inputs_are_asked_for_in_a_form(chat: MemoryChat) -> None:
    await chat.command(ADA, "start greeter", form_handle="h1")
    assert "Topic" in text_of(chat.platform.opened["h1"])
    assert await runs_of(chat, ADA) == []


async def test_a_form_says_at_its_fields_what_is_wrong_and_then_starts_the_run(chat: MemoryChat) -> None:
    draft = await draft_of(chat, ADA)
    wrong = await chat.submit(
        ADA, actions.START, draft, **{input_field("topic"): "mills", input_field("count"): "x"}
    )
    assert list(wrong) == [input_field("count")]
    assert await runs_of(chat, ADA) == []
    right = {input_field("topic"): "mills", input_field("count"): "3"}
    assert await chat.submit(ADA, actions.START, draft, **right) == {}
    assert await chat.submit(ADA, actions.START, draft, **right) == {}
    [run] = await runs_of(chat, ADA)
    assert run.inputs == {"topic": "mills", "count": 3}


async def test_nobody_completes_the_form_of_another(chat: MemoryChat) -> None:
    draft = await draft_of(chat, ADA)
    wrong = await chat.submit(BOB, actions.START, draft, **{input_field("topic"): "mills"})
    assert "somebody else" in " ".join(wrong.values())
    assert await runs_of(chat, BOB) == []


async def test_words_in_a_form_answer_and_empty_ones_are_asked_for(chat: MemoryChat) -> None:
    question = await chat.asking(kind=QuestionKind.TEXT, options=())
    about = target_of(question).encode()
    empty = await chat.submit(ADA, actions.REPLY, about, **{actions.REPLY_FIELD: " \n"})
    assert list(empty) == [actions.REPLY_FIELD]
    refused = await chat.submit(BOB, actions.REPLY, about, **{actions.REPLY_FIELD: "shorter"})
    assert "isn't yours" in refused[actions.REPLY_FIELD]
    assert await chat.submit(ADA, actions.REPLY, about, **{actions.REPLY_FIELD: " shorter\n"}) == {}
    assert await chat.outcome(question) == Action.RESPOND


async def draft_of(chat: MemoryChat, user: str) -> str:
    """The id of the draft that a start without its inputs leaves."""
    asked = await chat.command(user, "start greeter")
    return next(word for word in asked.split() if len(word) == 36 and word.count("-") == 4)
