"""One message in a thread, delivered twice at the same time to two processes: it answers one question."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import redis

from bot.core.ports.store import Store
from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.run import Claim, Run
from bot.metrics import Metrics
from bot.settings import Settings
from bot.store.redis import open_store
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.ports import SILENT, IncomingMessage
from bot.surfaces.chat.inbound.replies import Replies
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.inbound.event_payloads import MessageEvent, incoming
from bot.surfaces.slack.inbound.people import SlackActors
from bot.surfaces.slack.webapi.api import open_api
from bot.surfaces.slack.webapi.installation import SlackInstallation
from bot.tasks import BackgroundTasks
from tests.contract.faulty_proxy import FaultyProxy, faulty_proxy
from tests.contract.outboxes import open_thread
from tests.loopback.slack import GENERAL
from tests.scenario.outbox import ADA, TEAM, Outbox

THREAD = "1700000000.000100"


@pytest.fixture
async def proxy(redis_url: str, data_dir: Path) -> AsyncIterator[FaultyProxy]:
    with redis.Redis.from_url(redis_url) as server:
        upstream: str = server.connection_pool.connection_kwargs["path"]
    async with faulty_proxy(data_dir / "proxy.sock", upstream) as opened:
        yield opened


@pytest.fixture
async def processes(on: Outbox, proxy: FaultyProxy) -> AsyncIterator[tuple[Replies, Replies]]:
    """Two of them; the second is behind the proxy."""
    settings = Settings.model_validate(
        {"SLACK_BOT_TOKEN": on.slack.bot_token, "SLACK_API_URL": on.slack.api_url}
    )
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(open_api(settings, Metrics(), AckPriority()))
        installation = SlackInstallation(api)
        await installation.learn()
        far = await stack.enter_async_context(open_store(proxy.url))

        async def made(store: Store) -> Replies:
            people = SlackActors(api, store.key_values, BackgroundTasks(), installation)
            await people.actor(ADA.user_id)
            return Replies(
                api.capabilities,
                store,
                people,
                Answers(api.capabilities, store),
            )

        yield await made(on.store), await made(far)


def message(words: str = "blue") -> IncomingMessage:
    """A reply that was written in a moment, so that it is later than whatever is asked here."""
    said = MessageEvent(
        type="message",
        channel=GENERAL,
        ts=f"{time.time() + 60:.6f}",
        thread_ts=THREAD,
        user=ADA.user_id,
        text=words,
    )
    return incoming(said, TEAM, "U0BOT")


async def in_thread(on: Outbox) -> tuple[Run, Claim]:
    run = await on.start(thread=THREAD)
    await open_thread(on.store, run.id, ChatPlace(SURFACE, TEAM, GENERAL, THREAD).encode())
    return run, await on.claimed(run)


async def shown(on: Outbox, claim: Claim, prompt: str) -> Question:
    """A question that the thread shows, as whoever delivers records it."""
    question = await on.ask(claim, prompt, kind=QuestionKind.TEXT)
    await on.show(question)
    return question


@pytest.mark.parametrize("where", ["the same run", "another run of the thread"])
async def test_two_copies_of_a_reply_at_once_answer_one_question(
    where: str, on: Outbox, proxy: FaultyProxy, processes: tuple[Replies, Replies]
) -> None:
    first, second = processes
    heard = message()
    run, claim = await in_thread(on)
    other = claim if where == "the same run" else (await in_thread(on))[1]
    colour = await shown(on, claim, "Which colour?")
    held = proxy.hold(f"{heard.key}:question".encode())
    copy = asyncio.create_task(second.handle(heard))
    await held.reached.wait()  # it has seen that the message has gone no way yet
    assert await first.handle(heard) == SILENT
    shape = await shown(on, other, "Which shape?")
    held.released.set()
    assert await copy == SILENT
    settled = await on.store.questions.get(run.id, colour.id)
    assert settled.outcome is not None
    assert settled.outcome.comment == "blue"
    assert (await on.store.questions.get(shape.run_id, shape.id)).open
    assert await first.handle(message("round")) == SILENT
    assert not (await on.store.questions.get(shape.run_id, shape.id)).open
