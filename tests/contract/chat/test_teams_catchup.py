"""What was written in Teams while no process received it: read in Microsoft Graph, given consent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from bot.core.questions.question import Action, Question, QuestionKind
from bot.surfaces.teams.connector.graph import GraphMessages
from bot.surfaces.teams.inbound.history import TeamsThreadHistory
from tests.contract.chat.finishing import caught_up
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.teams_inbound import TeamsChat, teams_chat
from tests.waiting import WITHIN, alongside


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[TeamsChat]:
    async with teams_chat(redis_url) as made:
        made.teams.connector.consent = True
        for user in (ADA, BOB):
            await made.command(user, "help")  # from what Teams sends, the app learns who they are
        yield made


@asynccontextmanager
async def catching_up(chat: TeamsChat) -> AsyncIterator[None]:
    app_id, platform = chat.teams.app_id, chat.platform
    history = GraphMessages(platform.client, platform.service_urls, app_id, chat.teams.graph_url)
    catch_up = chat.inbound.engine.catch_up(TeamsThreadHistory(history, app_id))
    async with alongside(catch_up.run(chat.teams.tenant.id)):
        yield


async def words_wanted(chat: TeamsChat) -> Question:
    return await chat.asking(kind=QuestionKind.TEXT, options=())


def wrote(chat: TeamsChat, user: str, text: str) -> str:
    """A message that reached nobody; its id."""
    full_id = f"{chat.channel.id};messageid={chat.thread}"
    by = chat.people[user].user.account()
    return chat.teams.tenant.post(full_id, by, {"type": "message", "text": text}).id


async def comment(chat: TeamsChat, question: Question) -> str:
    """The words that settled it, as soon as some have."""
    async with asyncio.timeout(WITHIN):
        while await chat.outcome(question) == "":  # noqa: ASYNC110 - the store is asked, nothing tells
            await asyncio.sleep(0.02)
    outcome = (await chat.store.questions.get(question.run_id, question.id)).outcome
    return outcome.comment if outcome else ""


async def test_a_missed_reply_answers_the_question(chat: TeamsChat) -> None:
    question = await words_wanted(chat)
    wrote(chat, BOB, "Nobody asked me")
    wrote(chat, ADA, "<at>Bob</at> can you look at this?")
    wrote(chat, ADA, "They go out & in, 1 < 2")
    async with catching_up(chat):
        assert await comment(chat, question) == "They go out & in, 1 < 2"


async def test_a_missed_mention_of_the_app_is_an_answer(chat: TeamsChat) -> None:
    question = await chat.asking()
    wrote(chat, ADA, f"<at>{chat.teams.tenant.bot['name']}</at> Approve")
    async with catching_up(chat):
        await comment(chat, question)
    assert await chat.outcome(question) == Action.APPROVE


async def test_what_was_written_before_the_question_is_no_answer(chat: TeamsChat) -> None:
    wrote(chat, ADA, "Before it was asked")
    await asyncio.sleep(2.1)
    question = await words_wanted(chat)
    wrote(chat, ADA, "After")
    async with catching_up(chat):
        assert await comment(chat, question) == "After"


@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_what_has_been_changed_since_decides_nothing(chat: TeamsChat, change: str) -> None:
    question = await words_wanted(chat)
    message = chat.channel.messages[wrote(chat, ADA, "They go out twice")]
    message["lastEditedDateTime" if change == "edited" else "deletedDateTime"] = "2026-11-29T00:00:00Z"
    async with catching_up(chat):
        await caught_up(chat.store, "teams")
    assert chat.teams.called("history")
    assert await chat.outcome(question) == ""


async def test_without_consent_nothing_is_read_and_nothing_fails(chat: TeamsChat) -> None:
    chat.teams.connector.consent = False
    question = await words_wanted(chat)
    wrote(chat, ADA, "They go out")
    async with catching_up(chat):
        await caught_up(chat.store, "teams")
        assert chat.teams.called("history")
        assert await chat.outcome(question) == ""
        await chat.says(ADA, "They go in")
    assert await comment(chat, question) == "They go in"


async def test_a_long_thread_is_read_page_by_page(chat: TeamsChat) -> None:
    question = await words_wanted(chat)
    wrote(chat, ADA, "The first of many")
    for number in range(60):
        wrote(chat, BOB, f"Talk {number}")
    async with catching_up(chat):
        assert await comment(chat, question) == "The first of many"
    assert len(chat.teams.called("history")) == 2


async def test_replies_of_a_teams_whose_clock_is_behind_are_read(chat: TeamsChat) -> None:
    chat.teams.tenant.clock = lambda: datetime.now(UTC) - timedelta(minutes=1)
    question = await words_wanted(chat)
    wrote(chat, ADA, "They go out")
    async with catching_up(chat):
        assert await comment(chat, question) == "They go out"
