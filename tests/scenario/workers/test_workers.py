"""Workers as processes: they hold their leases, drain, and are recycled."""

import asyncio
import json
from datetime import datetime

from bot.core.ports.journal import STARTED_SUFFIX
from bot.core.runs.run import Run, RunStatus
from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deployment import ADA, Deployment, WorkerProcess, called
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel, call, say
from tests.scenario.server import Server
from tests.waiting import WITHIN

ASK = call("ask_human", question="Go on?", kind="approval")


def ready_at(worker: WorkerProcess) -> float:
    """When the worker was first ready for runs, in milliseconds since the epoch."""
    logged = map(json.loads, filter(None, worker.log.splitlines()))
    ready = next(each for each in logged if each["message"] == "ready")
    return datetime.fromisoformat(ready["timestamp"]).timestamp() * 1000


async def tool_begun(deployment: Deployment, run: Run) -> None:
    """Return once the run is about to call a tool: it says so in its journal before."""
    async with asyncio.timeout(WITHIN):
        while not any(  # noqa: ASYNC110
            "/tool/" in name and name.endswith(STARTED_SUFFIX)
            for name in await deployment.store.journal.read(run.id)
        ):
            await asyncio.sleep(0.02)


async def test_a_worker_that_is_stopped_parks_what_waits_and_hands_back_what_works(
    model: LoopbackModel, fork_server: ForkServer
) -> None:
    """It also holds the leases of runs whose crews block their loop for longer than that."""
    model.script("long", [call("block", seconds=2.5), say("held")])
    model.script("works", [call("slow", until="go"), say("ended")])
    model.script("hangs", [call("slow", seconds=30), say("never")])
    model.script("waits", [ASK, say("{last}")])
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, CREWDECK_LEASE="2", CREWDECK_DRAIN="10"
    ) as worker:
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            waits = await deployment.start("solo", prompt="[[waits]]")
            question = await deployment.question(waits)
            assert waits.created_at < ready_at(worker), "YAML crews are announced before crewai is imported"
            long = await deployment.start("solo", prompt="[[long]]")
            assert await deployment.result(long) == "held"
            works = await deployment.start("solo", prompt="[[works]]")
            hangs = await deployment.start("solo", prompt="[[hangs]]")
            await called(model, "works")
            await called(model, "hangs")
            steady = await deployment.start("steady", prompt="go")
            await deployment.until(steady, lambda now: now.seq >= 2)  # its first method is begun
            for each in (works, hangs):
                await tool_begun(deployment, each)
            stopping = asyncio.create_task(asyncio.to_thread(worker.stop))
            await asyncio.to_thread(worker.wait_for_log, "stopping")
            (worker.folder / "go").touch()
            assert await stopping == 0, worker.log
            assert (await deployment.store.runs.get(waits.id)).status is RunStatus.INPUT_REQUIRED
            for each in (works, hangs, steady):
                assert (await deployment.store.runs.get(each.id)).status is RunStatus.QUEUED
            assert [name for name in await deployment.store.journal.read(works.id) if "/tool/" in name], (
                worker.log
            )
            assert not [
                name
                for name in await deployment.store.journal.read(hangs.id)
                if name.endswith("/0") and "/tool/" in name
            ]
            await deployment.store.runs.cancel(hangs.id, ADA)
            await deployment.say(question, "approve")
            worker.fork_server = fork_server
            worker.start()
            assert await deployment.result(works) == "ended"
            assert await deployment.result(steady) == "first, second"
            assert [each["method"] for each in worker.heard() if "method" in each] == ["first", "second"]
            assert await deployment.result(waits) == "Ada approved."
            assert [model.count(marker) for marker in ("works", "waits")] == [2, 2]


async def test_who_is_recycled_finishes_its_runs_and_its_successor_takes_the_next(
    model: LoopbackModel, redis_url: str
) -> None:
    """`serve` with one worker that is replaced after two runs: at most two of them are there at once."""
    model.script("waits", [ASK, say("{last}")])
    env = {
        "CREWDECK_REDIS_URL": redis_url,
        "CREWDECK_CONFIG_DIR": str(DEFINITIONS),
        "CREWDECK_RECYCLE_AFTER": "2",
        "CREWDECK_MODEL": "openai/gpt-5.4-mini",
        "OPENAI_API_KEY": "sk-test-1234567890",
        "OPENAI_BASE_URL": model.base_url,
        "OPENAI_API_BASE": model.base_url,
    }
    async with Server.start(env, wait="announced") as server, Deployment.at(redis_url) as deployment:
        await asyncio.to_thread(server.wait_for, lambda: server.workers)
        [recycled] = server.workers
        first = [await deployment.start("solo", prompt="[[waits]]") for _ in range(2)]
        asked = [await deployment.question(run) for run in first]
        later = []
        for _ in range(5):  # The successor may not retire before the first has ended: it goes on.
            later.append(await deployment.start("solo", prompt="[[waits]]"))
            asked.append(await deployment.question(later[-1]))
        assert len(server.workers) == 2
        assert recycled in server.workers
        for question, run in zip(asked[:2], first, strict=True):
            await deployment.say(question, "approve")
            assert await deployment.result(run) == "Ada approved."
            assert (await deployment.store.runs.get(run.id)).epoch == 1, "it stayed where it was"
        await asyncio.to_thread(server.wait_for, lambda: recycled not in server.workers)
        for question, run in zip(asked[2:], later, strict=True):
            await deployment.say(question, "approve")
            assert await deployment.result(run) == "Ada approved."
        restarts = [each for each in server.log if each["message"].startswith("A worker died")]
        assert restarts == []


async def test_a_worker_that_nobody_replaces_before_it_ends_goes_on_until_it_holds_nothing(
    model: LoopbackModel, fork_server: ForkServer
) -> None:
    """Or has executed twice as many runs as it is recycled after."""
    model.script("waits", [ASK, say("{last}")])
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, fork_server=fork_server, CREWDECK_RECYCLE_AFTER="2"
    ) as worker:
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            runs = [await deployment.start("solo", prompt="[[waits]]") for _ in range(4)]
            asked = [await deployment.question(run) for run in runs]
            left = await deployment.start("solo", prompt="[[waits]]")
            for question, run in zip(asked, runs, strict=True):
                await deployment.say(question, "approve")
                assert await deployment.result(run) == "Ada approved."
            assert await asyncio.to_thread(worker.process.wait, WITHIN) == 0
            assert (await deployment.store.runs.get(left.id)).status is RunStatus.QUEUED
            worker.start()
            question = await deployment.question(left)
            last = await deployment.start("solo", prompt="[[waits]]")
            for each in (question, await deployment.question(last)):
                await deployment.say(each, "approve")
            assert await asyncio.to_thread(worker.process.wait, WITHIN) == 0, "nothing was held any more"


async def test_crews_of_python_stay_known_while_their_only_worker_is_replaced(
    model: LoopbackModel, fork_server: ForkServer
) -> None:
    """They are known to a worker only once it has loaded crewai; what is started meanwhile is queued."""
    with WorkerProcess.started(model.base_url, DEFINITIONS, fork_server=fork_server) as worker:
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            await asyncio.to_thread(worker.wait_for_log, "ready")
            await deployment.announced("steady")
            assert await asyncio.to_thread(worker.stop) == 0, worker.log
            run = await deployment.start("steady", prompt=".")
            worker.start(executed=True)
            ended = asyncio.create_task(deployment.result(run))
            while not ended.done():
                assert "steady" in await deployment.store.catalogue.crews()
                await asyncio.sleep(0.02)
            assert await ended == "first, second"


async def test_a_worker_outlives_its_redis(model: LoopbackModel, fork_server: ForkServer) -> None:
    """Redis dies while one run waits and another works, and comes back with what it had."""
    model.script("waits", [ASK, say("{last}")])
    model.script("works", [call("slow", seconds=2), say("worked")])
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, fork_server=fork_server, CREWDECK_LEASE="10"
    ) as worker:
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            waits = await deployment.start("solo", prompt="[[waits]]")
            await deployment.question(waits)
            works = await deployment.start("solo", prompt="[[works]]")
            await called(model, "works")
            await asyncio.to_thread(worker.restart_redis, 1.5)
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            assert await deployment.result(works) == "worked"
            await deployment.say(await deployment.question(waits), "approve")
            assert await deployment.result(waits) == "Ada approved."
        assert worker.log.count("Redis is away; waiting for it") == 1
        assert "Traceback" not in worker.log
        assert await asyncio.to_thread(worker.stop) == 0
