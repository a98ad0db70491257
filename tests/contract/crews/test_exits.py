"""Whatever a crew raises fails its run, in words, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from bot.core.runs.run import RunError, RunStatus
from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deployment import ADA, Deployment, WorkerProcess, called
from tests.contract.crews.test_plain_crewai import ENTRY_POINTS, did
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel, call, say
from tests.waiting import WITHIN, until

SAID = {
    "exit": "called sys.exit(3)",
    "interrupt": "raised KeyboardInterrupt",
    "generator": "raised GeneratorExit",
    "cancelled": "raised CancelledError",
    "own": "raised OwnSignal",
}
PLACES = ["factory", "before", "tool", "step", "guardrail", "task", "async", "after", "stream"]


@pytest.fixture(scope="module")
def exiting(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    with WorkerProcess.started(model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def exits(exiting: WorkerProcess) -> AsyncIterator[Deployment]:
    async with Deployment.at(exiting.redis_url, lambda: exiting.log) as deployment:
        yield deployment


async def failure(deployment: Deployment, crew: str, prompt: str) -> RunError:
    done = await deployment.over(await deployment.start(crew, prompt=prompt))
    assert done.status is RunStatus.FAILED, done.result
    assert done.error is not None
    return done.error


@pytest.mark.parametrize("what", SAID)
async def test_in_a_crew(exits: Deployment, exiting: WorkerProcess, model: LoopbackModel, what: str) -> None:
    model.script("exits", [call("exit_tool"), say("done")])
    model.script("exits-wait", [call("ask_human", question="Go on?", kind="approval"), say("{last}")])
    waiting = await exits.start("exits", prompt="[[exits-wait]] nowhere none")
    question = await exits.question(waiting)
    errors = await asyncio.gather(*(failure(exits, "exits", f"[[exits]] {place} {what}") for place in PLACES))
    for place, error in zip(PLACES, errors, strict=True):
        assert (place, error.code) == (place, "crew_exited")
        assert SAID[what] in error.message, (place, error.message)
    assert "tool exit_tool" in errors[PLACES.index("tool")].message
    assert exiting.process.poll() is None
    await exits.say(question, "approve")
    assert await exits.result(waiting) == "Ada approved.", "other runs go on"


@pytest.mark.parametrize("what", SAID)
@pytest.mark.parametrize("place", ["method", "awaited", "listener"])
async def test_in_a_flow(exits: Deployment, exiting: WorkerProcess, place: str, what: str) -> None:
    """Although another of its methods waits for people."""
    error = await failure(exits, "exit_flow", f"- {place} {what}")
    assert error.code == "crew_exited"
    assert SAID[what] in error.message
    assert exiting.process.poll() is None


async def test_a_listener_that_exits_keeps_no_other_from_hearing(
    exits: Deployment, exiting: WorkerProcess, model: LoopbackModel
) -> None:
    for number in range(3):
        model.script(f"listener-{number}", [say(f"done {number}")])
        run = await exits.start("plain", prompt=f"[[listener-{number}]] exit-in-listener")
        assert await exits.result(run) == f"done {number}"
        told = [event.body.type for event in await exits.events(run)]
        assert told == ["run_started", "task_started", "task_completed", "run_completed"]
    await until(lambda: len(did(exiting, *(f"heard done {number}" for number in range(3)))) == 3)


async def test_a_worker_whose_engine_ended_gives_its_runs_back_and_exits(
    model: LoopbackModel, fork_server: ForkServer
) -> None:
    model.script("engine", [call("stop_engine"), say("never")])
    model.script("asks", [call("ask_human", question="Go on?", kind="approval"), say("{last}")])
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server, CREWDECK_LEASE="60"
    ) as worker:
        worker.wait_for_log("ready")
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            asks = await deployment.start("plain", prompt="[[asks]]")
            question = await deployment.question(asks)
            stops = await deployment.start("stops_engine", prompt="[[engine]]")
            assert await asyncio.to_thread(worker.process.wait, WITHIN) == 1, worker.log
            for run in (asks, stops):
                assert (await deployment.store.runs.get(run.id)).status in {
                    RunStatus.QUEUED,
                    RunStatus.INPUT_REQUIRED,
                }
            await deployment.store.runs.cancel(stops.id, ADA)
            worker.start()
            await deployment.say(question, "approve")
            assert await deployment.result(asks) == "Ada approved.", (
                "long before its lease would have run out"
            )


async def test_a_worker_with_too_many_hung_tools_is_replaced(
    model: LoopbackModel, fork_server: ForkServer
) -> None:
    model.script("hangs", [call("sleep", seconds=600), say("never")])
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server, CREWDECK_OUTLIVED="2"
    ) as worker:
        async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
            for number in (1, 2):
                run = await deployment.start("plain", prompt="[[hangs]]")
                await deployment.until(run, lambda now: now.status is RunStatus.RUNNING)
                await called(model, "hangs", number)
                await until(lambda number=number: len(did(worker, "sleeps")) == number)  # type: ignore[misc]
                await deployment.store.runs.cancel(run.id, ADA)
                assert (await deployment.over(run)).status is RunStatus.CANCELLED
            assert await asyncio.to_thread(worker.process.wait, WITHIN) == 0, worker.log
            assert "tools hang in runs that are over" in worker.log
