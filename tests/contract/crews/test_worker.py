"""Workers as processes: they hold their leases, drain, and are recycled."""

import asyncio
import time

from bot.core.model import RunStatus
from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deck import Deck, WorkerProcess, called
from tests.loopback.models import LoopbackModel, call, say

ASK = call("ask_human", question="Go on?", kind="approval")


async def test_a_worker_that_is_stopped_lets_work_end_and_fails_what_still_waits(
    model: LoopbackModel,
) -> None:
    """It also holds the leases of runs whose crews block their loop for longer than that."""
    model.script("long", [call("block", seconds=2.5), say("held")])
    model.script("ends", [call("slow", seconds=0.8), say("ended")])
    model.script("waits", [ASK])
    with WorkerProcess.started(model.base_url, DEFINITIONS, CREWDECK_LEASE="1", CREWDECK_DRAIN="2") as worker:
        async with Deck.at(worker.redis_url) as deck:
            before = time.monotonic()
            waits = await deck.start("solo", prompt="[[waits]]")
            assert time.monotonic() - before < 4, "YAML crews are announced before crewai is imported"
            await deck.question(waits)
            long = await deck.start("solo", prompt="[[long]]")
            assert await deck.result(long) == "held"
            ends = await deck.start("solo", prompt="[[ends]]")
            await deck.until(ends, lambda run: run.status is RunStatus.RUNNING)
            await called(model, "ends")
            assert await asyncio.to_thread(worker.stop) == 0, worker.log
            assert (await deck.over(ends)).result == "ended"
            stopped = await deck.over(waits)
            assert stopped.error is not None
            assert stopped.error.code == "worker_stopped"
            late = await deck.start("solo", prompt="[[ends]]")
            assert (await deck.store.run(late.id)).status is RunStatus.QUEUED


async def test_a_worker_is_recycled_once_its_runs_have_ended(model: LoopbackModel) -> None:
    model.script("waits", [ASK, say("{last}")])
    with WorkerProcess.started(model.base_url, DEFINITIONS, CREWDECK_RECYCLE_AFTER="2") as worker:
        async with Deck.at(worker.redis_url) as deck:
            runs = [await deck.start("solo", prompt="[[waits]]") for _ in range(3)]
            asked = [await deck.question(run) for run in runs[:2]]
            await asyncio.sleep(0.3)
            assert worker.process.poll() is None
            assert (await deck.store.run(runs[2].id)).status is RunStatus.QUEUED
            for question in asked:
                await deck.say(question, "approve")
            for run in runs[:2]:
                assert await deck.result(run) == "Ada approved."
            assert await asyncio.to_thread(worker.process.wait, 10) == 0
            assert (await deck.store.run(runs[2].id)).status is RunStatus.QUEUED


async def test_a_worker_outlives_its_redis(model: LoopbackModel) -> None:
    """Redis dies while one run waits and another works, and comes back with what it had."""
    model.script("waits", [ASK, say("{last}")])
    model.script("works", [call("slow", seconds=2), say("worked")])
    with WorkerProcess.started(model.base_url, DEFINITIONS, CREWDECK_LEASE="10") as worker:
        async with Deck.at(worker.redis_url) as deck:
            waits = await deck.start("solo", prompt="[[waits]]")
            await deck.question(waits)
            works = await deck.start("solo", prompt="[[works]]")
            await called(model, "works")
            await asyncio.to_thread(worker.restart_redis, 1.5)
        async with Deck.at(worker.redis_url) as deck:
            assert await deck.result(works) == "worked"
            await deck.say(await deck.question(waits), "approve")
            assert await deck.result(waits) == "Ada approved."
        assert worker.log.count("Redis is away; waiting for it") == 1
        assert "Traceback" not in worker.log
        assert await asyncio.to_thread(worker.stop) == 0
