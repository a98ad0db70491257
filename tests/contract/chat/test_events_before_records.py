"""What people do with a message that they see, before it is recorded where that message is."""

from __future__ import annotations

import asyncio

from bot.core.policy import Policy
from bot.core.question import Action, Question, QuestionKind
from tests.contract.chat.memory_inbound import MemoryChat, memory_chat, text_of
from tests.contract.chat.played_crew import ADA
from tests.contract.examples import approval

IN_WORDS = {"kind": QuestionKind.TEXT, "options": ()}


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
