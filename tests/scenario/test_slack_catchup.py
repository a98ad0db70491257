"""Replies written while no web process was up: all are read, by one process at a time, whoever is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from bot.core import ids, starting
from bot.core.questions.question import Question, QuestionKind
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.slack import SURFACE
from tests.loopback.slack import GENERAL, Person
from tests.scenario.outbox import ADA, CREW, TEAM, Outbox
from tests.scenario.server import Server
from tests.scenario.slack_deployment import Transport, connect, slack_settings
from tests.waiting import WITHIN

TRANSPORTS: tuple[Transport, ...] = ("http", "socket")
MANY = 230


async def asked_and_answered(on: Outbox, ada: Person, number: int) -> Question:
    """An open question in a thread of its own, which Ada answered there while nobody was up."""
    parent = (await ada.say(GENERAL, f"Thread {number}")).message
    assert parent
    place = ChatPlace(SURFACE, TEAM, GENERAL, parent.ts).encode()
    run, _ = await on.store.runs.start(starting.plan(CREW, {}, ADA, key=f"missed-{number}", place=place))
    [claim] = await on.store.queue.claim("worker", ["demo"], 1, 300)
    question = Question(
        id=ids.part_id(run.id, "question"),
        run_id=run.id,
        kind=QuestionKind.TEXT,
        prompt=f"Question {number}?",
        policy=run.approvers,
    )
    asked = await on.store.questions.ask(claim, question)
    await on.show(asked)
    await ada.reply(GENERAL, parent.ts, f"Answer {number}")
    return asked


@asynccontextmanager
async def two_at_once(on: Outbox, transport: Transport, web: dict[str, str]) -> AsyncIterator[list[Server]]:
    """Two web processes that start together."""
    settings = slack_settings(on.slack, transport) | web
    on.slack.delay("auth.test", 3)  # each sees the other before it looks whether there was a gap
    async with AsyncExitStack() as stack:
        starting = [Server.start(settings), Server.start(settings)]
        servers = await asyncio.gather(*(stack.enter_async_context(each) for each in starting))
        connect(on.slack, servers[0], transport)
        yield servers


async def settled(on: Outbox, questions: list[Question]) -> int:
    found = [await on.store.questions.get(each.run_id, each.id) for each in questions]
    for each in found:
        if each.outcome is not None:
            assert each.outcome.comment == each.prompt.replace("Question", "Answer").rstrip("?")
    return sum(not each.open for each in found)


async def all_settled(on: Outbox, questions: list[Question]) -> None:
    async with asyncio.timeout(WITHIN):
        done = await settled(on, questions)
        while done < len(questions):
            await asyncio.sleep(0.2)
            done = await settled(on, questions)


async def both_hear(on: Outbox) -> bool:
    """Two processes are up, and both have found out whether there was a gap."""
    owners = json.loads(await on.store.key_values.get("slack:web") or "{}")
    return len(owners) == 2 and all(
        [await on.store.key_values.get(f"slack:web:hears:{each}") for each in owners]
    )


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_two_that_start_together_read_all_of_it_once(
    on: Outbox, web: dict[str, str], transport: Transport
) -> None:
    ada = on.slack.person("U0ADA", name="Ada")
    questions = [await asked_and_answered(on, ada, number) for number in range(MANY)]
    async with two_at_once(on, transport, web):
        await all_settled(on, questions)
    read = [call.arguments["ts"] for call in on.slack.called("conversations.replies")]
    assert len(set(read)) == MANY
    assert len(read) == MANY


@pytest.mark.parametrize("first", [0, 1])
async def test_another_one_goes_on_if_the_one_that_reads_is_killed(
    on: Outbox, web: dict[str, str], first: int
) -> None:
    ada = on.slack.person("U0ADA", name="Ada")
    questions = [await asked_and_answered(on, ada, number) for number in range(60)]
    on.slack.delay("conversations.replies", 0.1)
    async with two_at_once(on, "http", web) as servers:
        await on.slack.wait_for(lambda: len(on.slack.called("conversations.replies")) > 5)
        await asyncio.to_thread(servers[first].kill)
        on.slack.heal()
        await all_settled(on, questions)


async def test_after_a_second_gap_all_of_it_is_read_again(on: Outbox, web: dict[str, str]) -> None:
    ada = on.slack.person("U0ADA", name="Ada")
    questions = [await asked_and_answered(on, ada, number) for number in range(8)]
    on.slack.delay("conversations.replies", 0.3)
    settings = slack_settings(on.slack, "http") | web
    async with Server.start(settings) as server:
        await on.slack.wait_for(lambda: len(on.slack.called("conversations.replies")) > 2)
        await asyncio.to_thread(server.kill)
    on.slack.heal()
    later = [await asked_and_answered(on, ada, number) for number in range(8, 12)]
    async with Server.start(settings):
        await all_settled(on, [*questions, *later])


async def test_who_starts_beside_one_that_hears_reads_nothing(on: Outbox, web: dict[str, str]) -> None:
    ada = on.slack.person("U0ADA", name="Ada")
    settings = slack_settings(on.slack, "http") | web
    async with Server.start(settings) as first:
        connect(on.slack, first, "http")
        question = await asked_and_answered(on, ada, 1)
        await all_settled(on, [question])
        before = len(on.slack.called("conversations.replies"))
        await asked_and_answered(on, ada, 2)
        async with Server.start(settings) as second:
            assert second.url
            await on.until(lambda: both_hear(on))
        assert len(on.slack.called("conversations.replies")) == before
