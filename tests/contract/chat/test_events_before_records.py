"""What people do with a message that they see, before it is recorded where that message is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bot.core.people.policy import Policy
from bot.core.questions.question import Action, Question, QuestionKind
from bot.store.redis import open_store
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.wording import question_messages
from tests.contract.chat.deployment import TENANT, deployed
from tests.contract.chat.memory_inbound import CHANNEL, MemoryChat, memory_chat, text_of
from tests.contract.chat.peers import Trouble
from tests.contract.chat.played_crew import ADA
from tests.contract.chat.relaying import ADA as ADA_ELSEWHERE
from tests.contract.chat.relaying import asked, claimed, linked
from tests.contract.chat.slack_inbound import slack_chat_over_http
from tests.contract.examples import approval
from tests.contract.faulty_proxy import faulty_proxy
from tests.waiting import eventually

IN_WORDS: dict[str, Any] = {"kind": QuestionKind.TEXT, "options": ()}


async def two_questions(chat: MemoryChat) -> list[Question]:
    """What one run asks Ada, of which nothing is recorded to be shown."""
    claim = await chat.claimed()
    ada = Policy(deciders=(chat.person(ADA).principal,))
    return [
        await chat.store.questions.ask(
            claim, approval(claim, each).model_copy(update={"policy": ada, "prompt": each, **IN_WORDS})
        )
        for each in ("Which colour?", "Which shape?")
    ]


async def test_a_reply_is_not_taken_for_the_one_question_that_is_recorded_already(redis_url: str) -> None:
    async with memory_chat(redis_url) as chat:
        first, second = await two_questions(chat)
        await chat.show(first, "m1")
        looked = asyncio.Event()

        def follows(_other: str) -> bool:
            looked.set()
            return True

        said = chat.message(ADA, "round", follows=follows)
        reply = asyncio.create_task(chat.engine.router.message(said))
        await looked.wait()
        await chat.show(second, "m2")
        assert "Which question is that for?" in text_of((await reply).say)
        assert [await chat.outcome(each) for each in (first, second)] == ["", ""]


async def test_a_reply_waits_for_nothing_once_everything_is_shown(redis_url: str) -> None:
    """What the thread doesn't show then was asked elsewhere."""
    async with memory_chat(redis_url) as chat:
        first, _elsewhere = await two_questions(chat)
        await chat.show(first, "m1")
        run, surface = await chat.store.runs.get(first.run_id), chat.place.surface
        shard = chat.store.outbox.shard_of(run.id)
        await chat.store.outbox.lease_shard(surface, shard, "web-1", 60)
        await chat.store.outbox.mark_delivered(surface, "web-1", run.id, run.seq)
        looks: list[str] = []

        def follows(other: str) -> bool:
            looks.append(other)
            return True

        await chat.engine.router.message(chat.message(ADA, "blue", follows=follows))
        assert looks == ["m1"]
        assert await chat.outcome(first) == Action.RESPOND


async def test_a_direct_reply_waits_for_the_place_of_what_it_replies_to(
    redis_url: str, data_dir: Path
) -> None:
    upstream = redis_url.removeprefix("unix://")
    async with (
        faulty_proxy(data_dir / "proxy.sock", upstream) as proxy,
        memory_chat(proxy.url) as chat,
        open_store(redis_url) as store,
    ):
        question = await chat.asking(posted=False, **IN_WORDS)
        await store.outbox.adopt("memory", question.run_id, f"question:{question.id}", f"{CHANNEL}/m5")
        held = proxy.hold(b":place:")
        said = chat.message(ADA, "blue", thread="m5", direct=True)
        reply = asyncio.create_task(chat.engine.router.message(said))
        await held.reached.wait()
        place = ChatPlace("memory", chat.place.tenant, CHANNEL, "m5").encode()
        await store.runs.add_place(question.run_id, place)
        held.released.set()
        await reply
        assert await chat.outcome(question) == Action.RESPOND


async def test_a_reply_to_a_direct_message_that_nobody_recorded_is_a_reply_to_the_run(
    redis_url: str,
) -> None:
    """Whoever posted it died. Slack tells of the message."""
    async with slack_chat_over_http(redis_url) as chat:
        question = await chat.asking(posted=False, **IN_WORDS)
        run = await chat.store.runs.get(question.run_id)
        shown = question_messages.ask(question_card(run, question), chat.api.capabilities.limits)
        ada = chat.people[ADA]
        posted = await chat.api.post(await chat.api.open_direct(ada.id), shown)
        place = ChatPlace(chat.place.surface, chat.place.tenant, posted.channel, posted.message_id).encode()
        await eventually(lambda: chat.store.runs.at(place))
        await ada.reply(posted.channel, posted.message_id, "blue")
        assert await eventually(lambda: chat.outcome(question)) == Action.RESPOND


async def test_what_is_said_in_a_personal_chat_is_a_reply_before_the_question_is_posted_there(
    redis_url: str,
) -> None:
    """All that is said in a chat of Teams is in one thread."""
    async with deployed("teams", redis_url) as deployment:
        await linked(deployment, ADA_ELSEWHERE, "U0ADA")
        claim = await claimed(deployment)
        deployment.peer.disturb(lambda _: Trouble.FAILED)
        chat = await deployment.platform.open_direct("U0ADA")
        place = ChatPlace(deployment.surface, TENANT, chat.channel, "chat").encode()
        async with deployment.delivering():
            await asked(deployment, claim)
            [run] = await eventually(lambda: deployment.store.runs.at(place))
        assert run.id == claim.run.id
