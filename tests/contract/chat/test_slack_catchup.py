"""Threads in Slack that are read after a gap: what they say now may not be what was written, or counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.core.people.policy import Policy
from bot.core.questions.question import Action
from tests.contract.chat.finishing import caught_up
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.slack_inbound import CHANNEL, SlackChat, slack_chat_over_http
from tests.contract.chat.test_inbound import ADA_ELSEWHERE, link_elsewhere
from tests.loopback.slack import Message
from tests.waiting import alongside


@pytest.fixture
async def chat(redis_url: str) -> AsyncIterator[SlackChat]:
    async with slack_chat_over_http(redis_url) as made:
        yield made


@asynccontextmanager
async def catching_up(chat: SlackChat) -> AsyncIterator[None]:
    async with alongside(chat.inbound.catch_up.run(chat.slack.workspace.team_id)):
        yield


async def wrote(chat: SlackChat, user: str, words: str) -> Message:
    """A reply that reached nobody."""
    chat.slack.use_socket_mode()
    written = (await chat.people[user].reply(CHANNEL, chat.parent.ts, words)).message
    assert written is not None
    return written


async def test_a_missed_reply_counts_unless_it_was_edited_since(chat: SlackChat) -> None:
    question = await chat.asking("ok", ADA, BOB)
    await chat.people[BOB].edit(await wrote(chat, BOB, "Is it due already?"), "Reject")
    await wrote(chat, ADA, "Approve")
    async with catching_up(chat):
        await caught_up(chat.store, "slack")
    assert await chat.outcome(question) == Action.APPROVE


async def test_what_was_refused_when_it_was_written_stays_so(chat: SlackChat) -> None:
    question = await chat.asking(policy=Policy(deciders=(ADA_ELSEWHERE.principal,)))
    assert "isn't yours" in await chat.says(ADA, "Approve")
    await link_elsewhere(chat)
    async with catching_up(chat):
        await caught_up(chat.store, "slack")
    assert await chat.outcome(question) == ""
    assert await chat.says(ADA, "Approve") == ""
    assert await chat.outcome(question) == Action.APPROVE


async def set_back(chat: SlackChat) -> None:
    """Slack's clock is far behind the store's; what follows is in a thread of that time."""
    chat.slack.workspace.set_back(60)
    parent = (await chat.people[ADA].say(CHANNEL, "Hi")).message
    assert parent is not None
    chat.parent = parent


async def test_replies_of_a_slack_whose_clock_is_behind_are_read(chat: SlackChat) -> None:
    await set_back(chat)
    question = await chat.asking()
    await wrote(chat, ADA, "Approve")
    async with catching_up(chat):
        await caught_up(chat.store, "slack")
    assert await chat.outcome(question) == Action.APPROVE


async def test_a_thread_is_read_from_the_message_of_its_first_question_on(chat: SlackChat) -> None:
    await set_back(chat)
    await wrote(chat, ADA, "Before it was asked")
    first = await chat.asking("first")
    await wrote(chat, ADA, "Approve")
    await chat.asking("second")
    await chat.asking("not shown yet", posted=False)
    async with catching_up(chat):
        await caught_up(chat.store, "slack")
    [read] = chat.slack.called("conversations.replies", ts=chat.parent.ts)
    parent, *said = [each["text"] for each in (read.response or {})["messages"]]
    assert (parent, said) == ("Hi", ["Approve"])
    assert await chat.outcome(first) == Action.APPROVE
