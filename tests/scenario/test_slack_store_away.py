"""The store is away for a while: nothing is lost silently, and everybody who acted hears what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import redis

from bot.store.embedded import Embedded
from tests.loopback.slack import GENERAL, Message, Person, View
from tests.scenario.outbox import CREW, Outbox, delivering
from tests.scenario.slack_deployment import Transport, serving
from tests.waiting import WITHIN


@pytest.fixture
async def own_store(data_dir: Path) -> AsyncIterator[Embedded]:
    """A Valkey that may be killed."""
    server = await asyncio.to_thread(Embedded.attach, data_dir)
    yield server
    await asyncio.to_thread(server.ensure)
    await asyncio.to_thread(server.detach)


@asynccontextmanager
async def away(store: Embedded) -> AsyncIterator[None]:
    """The store's process is killed, and started again at the end of the block."""
    with redis.Redis.from_url(store.url) as client:
        process = psutil.Process(int(client.info("server")["process_id"]))
    process.kill()
    await asyncio.to_thread(process.wait, WITHIN)
    yield
    await asyncio.to_thread(store.ensure)


async def words_of(on: Outbox, person: Person, text: str) -> Message:
    """What the person was told in private, once it says this."""
    return await on.sees(lambda: next(m for m in on.slack.ephemerals(person.id) if text in m.words))


async def form(on: Outbox, person: Person, question: Message) -> View:
    await person.press(question, "open.reply")
    return await on.slack.wait_for(lambda: on.slack.view(person.id))


@pytest.mark.parametrize("transport", ["http", "socket"])
async def test_while_the_store_is_away(own_store: Embedded, transport: Transport) -> None:
    settings = {"CREWDECK_REDIS_URL": own_store.url, "CREWDECK_WORKERS": "0"}
    async with delivering(own_store.url) as on, serving(on.slack, transport, settings):
        await on.store.catalogue.announce("here", [CREW])
        ada = on.slack.person("U0ADA", name="Ada")
        claim = await on.claimed(await on.start())
        question = await on.ask(claim)
        shown = await on.sees(lambda: on.said("May I go on?"))
        view = await form(on, ada, shown)
        assert shown.thread_ts
        async with away(own_store):
            pressed = await ada.press(shown, "Approve")
            assert pressed.ok
            await words_of(on, ada, "can't save that right now, please press again")
            submitted = await ada.submit(view, {"words": "kept words"})
            assert any("can't save" in why for why in submitted.field_errors.values())
            assert on.slack.view(ada.id).id == view.id
            command = await ada.command("/crew", "start demo", GENERAL)
            told = await on.slack.wait_for(lambda: command.private[0])
            assert "can't save" in told.words
            event = await ada.reply(GENERAL, shown.thread_ts, "a reply that Slack delivers again")
            assert event.status == (503 if transport == "http" else None)
        assert (await on.store.questions.get(claim.run.id, question.id)).open
        assert (await ada.redeliver(event)).ok
        await on.sees(lambda: on.said(">a reply that Slack delivers again"))
