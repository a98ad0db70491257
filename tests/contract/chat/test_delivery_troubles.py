"""Several processes deliver while the platform is in trouble: nothing is lost, nothing is posted twice."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from bot.core.events.event import HumanInputReminded
from bot.core.questions.question import Action, Deadline
from bot.core.runs.run import Claim
from bot.surfaces.chat.places import ChatPlace
from tests.contract.chat.deployment import Deployment, deployed
from tests.contract.chat.peers import Seen, Trouble
from tests.contract.examples import LOST, response
from tests.examples import SEED
from tests.waiting import until

RUNS, CHANNELS, QUESTIONS = 4, 2, 2
TROUBLES = (Trouble.RATE_LIMITED, Trouble.FAILED, Trouble.BROKEN)
DISTURBED = 6
"""Calls that fail, at most. A run of which many do waits twice as long after each."""


@pytest.mark.slow
async def test_whoever_delivers_everything_is_shown_once_and_in_its_order(deployment: Deployment) -> None:
    chance = random.Random(SEED)
    left = iter(chance.choices(TROUBLES, k=DISTURBED))
    deployment.peer.disturb(lambda _: next(left, Trouble.NONE) if chance.random() < 0.25 else Trouble.NONE)
    channels = [deployment.peer.channel, *(deployment.peer.new_channel() for _ in range(CHANNELS - 1))]
    async with AsyncExitStack() as processes, deployment.delivering("web-0"):
        async with deployment.delivering("web-1"):
            await processes.enter_async_context(deployment.delivering("web-2"))
            for number in range(RUNS):
                await deployment.start(channel=channels[number % CHANNELS])
            claims = [await deployment.claim() for _ in range(RUNS)]
            asking = [asyncio.create_task(plays(deployment, each)) for each in claims]
            await deployment.sees("Question 0")
        # One of them has left, and the others take over what it had.
        await asyncio.gather(*asking)
        for claim in claims:
            await deployment.until(lambda claim=claim: deployment.all_shown(claim.run))  # type: ignore[misc]
        assert len([*left]) < DISTURBED, "some calls failed"
    for claim in claims:
        seen = [each.words for each in await thread_of(deployment, claim)]
        assert [kind_of(each) for each in seen] == expected(seen), (SEED, seen)
        assert not any(each.buttons for each in await thread_of(deployment, claim)), SEED


@pytest.mark.parametrize("platform", ["slack", "teams"])
async def test_a_process_that_stops_records_what_it_is_posting_and_posts_nothing_else(
    platform: str, redis_url: str
) -> None:
    async with deployed(platform, redis_url) as deployment:
        run = await deployment.start()
        async with AsyncExitStack() as process:
            await process.enter_async_context(deployment.delivering("web-1"))
            claim = await deployment.claim()
            await deployment.sees("Demo")
            with deployment.peer.holding_answers():
                for number in range(QUESTIONS):
                    await deployment.ask(claim, f"Question {number}?", task_id=f"task {number}")
                await deployment.sees("Question 0?")
                stopped = asyncio.create_task(process.aclose())
                await until(
                    lambda: not any("OutboxWorker._poll" in repr(each) for each in asyncio.all_tasks())
                )
            await stopped
        assert not deployment.all_saying("Question 1?")
        async with deployment.delivering("web-2"):
            await deployment.sees("Question 1?")
            await deployment.until(lambda: deployment.all_shown(run))
        assert [len(deployment.all_saying(f"Question {number}?")) for number in range(QUESTIONS)] == [1, 1]


async def plays(deployment: Deployment, claim: Claim) -> None:
    """A run that asks, reminds once, is answered, and ends."""
    for number in range(QUESTIONS):
        question = await deployment.ask(
            claim,
            f"Question {number}?",
            deadline=Deadline(after=3600, remind_after=1),
            task_id=f"task {number}",
        )

        async def reminded(question_id: str = question.id) -> bool:
            await deployment.store.clock.apply_due(LOST)
            return question_id in {
                each.body.question_id
                for each in await deployment.store.events.read(claim.run.id, 0)
                if isinstance(each.body, HumanInputReminded)
            }

        await deployment.until(reminded)
        said = response(Action.APPROVE, deployment.person("U0ADA"), key=question.id)
        await deployment.store.questions.respond(question.run_id, question.id, said)
    await deployment.store.queue.finish(claim, result="All is said.")


async def thread_of(deployment: Deployment, claim: Claim) -> list[Seen]:
    """The messages of a run, as they were posted."""
    place = (await deployment.store.runs.get(claim.run.id)).place
    assert place is not None
    at = ChatPlace.decode(place, deployment.surface)
    return [
        each
        for each in deployment.peer.messages(at.channel)
        if at.thread in (each.thread, each.posted.message_id)
    ]


def kind_of(words: str) -> str:
    """What a message is: the first one, a question, a reminder, or the end."""
    for number in range(QUESTIONS):
        if f"Question {number}?" in words:
            return f"{'reminder' if 'is still open' in words else 'question'} {number}"
    return "end" if "All is said." in words else "first"


def expected(seen: list[str]) -> list[str]:
    """What a thread has to show: who is answered before the reminder is posted needs none."""
    reminded = {kind_of(each) for each in seen}
    asked = [f"{kind} {number}" for number in range(QUESTIONS) for kind in ("question", "reminder")]
    return ["first", *(each for each in asked if "question" in each or each in reminded), "end"]
