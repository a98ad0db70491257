"""How many runs work at once, on a worker and of a crew. Those that wait for people don't count."""

import asyncio
from collections.abc import Iterator

import pytest

from bot.core.runs.run import Run, RunStatus
from bot.core.runs.waiting import Wait
from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deployment import Deployment, WorkerProcess, called
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel, call, say
from tests.waiting import WITHIN, eventually, until

ASK = call("ask_human", question="Go on?", kind="approval")
RESTS = 0.6
"""Seconds after which a run that asked does nothing else."""


@pytest.fixture(scope="module")
def worker(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    """A worker on which two runs work at once."""
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, fork_server=fork_server, CREWDECK_WORKING="2"
    ) as process:
        process.wait_for_log("ready")
        yield process


async def waited(deployment: Deployment, run: Run) -> Wait:
    """What the run is queued for."""
    async with asyncio.timeout(WITHIN):
        while run.id not in (  # noqa: ASYNC110
            found := await deployment.store.runs.waits([await deployment.store.runs.get(run.id)])
        ):
            await asyncio.sleep(0.05)
    return found[run.id]


async def ended(deployment: Deployment, *runs: Run) -> list[str]:
    """The ids of these runs, in the order in which they end."""
    done = [await deployment.over(run) for run in runs]
    assert {run.status for run in done} == {RunStatus.COMPLETED}, [run.error for run in done]
    return [run.id for run in sorted(done, key=lambda run: run.finished_at or 0)]


async def test_an_answered_run_waits_until_another_has_ended_and_goes_before_new_ones(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("rests", [ASK, say("{last}")])
    for number in range(2):
        model.script(f"slow-{number}", [call("slow", until=f"go-{number}"), say("ended")])
    model.script("slow-2", [call("slow"), say("ended")])
    rests = await deployment.start("solo", prompt="[[rests]]")
    question = await deployment.question(rests)
    await asyncio.sleep(RESTS)
    working = [await deployment.start("solo", prompt=f"[[slow-{number}]]") for number in range(2)]
    for number in range(2):
        await called(model, f"slow-{number}")
    new = await deployment.start("solo", prompt="[[slow-2]]")
    assert (await waited(deployment, new)).code == "turn"
    await deployment.say(question, "approve")
    await deployment.until(rests, lambda now: now.status is RunStatus.QUEUED)
    assert (await waited(deployment, new)).ahead == 1
    assert model.count("rests") == 1, "it took no step"
    (worker.folder / "go-0").touch()
    await deployment.over(new)
    (worker.folder / "go-1").touch()
    order = await ended(deployment, rests, new, *working)
    assert order.index(working[0].id) == 0
    assert order.index(rests.id) < order.index(new.id)


async def test_so_many_runs_of_a_crew_work_at_once(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("one", [ASK, say("{last}")])
    model.script("two", [call("slow", until="go-two"), say("ended")])
    model.script("three", [say("ended")])
    one = await deployment.start("single", prompt="[[one]]")
    question = await deployment.question(one)
    two = await deployment.start("single", prompt="[[two]]")
    await called(model, "two")
    three = await deployment.start("single", prompt="[[three]]")
    wait = await waited(deployment, three)
    assert (wait.code, wait.ahead) == ("limit", 0)
    assert wait.message.startswith("1 of at most 1 runs of this crew are working.")
    await deployment.say(question, "approve")
    # Its answer was heard, and it waits before the third, by the time that there is room for one of them.
    await waited(deployment, one)
    (worker.folder / "go-two").touch()
    assert await ended(deployment, one, two, three) == [two.id, one.id, three.id]


async def test_a_worker_tells_the_others_how_many_runs_more_could_work_there(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    async def has_room(many: int) -> bool:
        others = await deployment.store.queue.other_workers("another")
        return [each.room for each in others] == [many]

    model.script("takes-room", [call("slow", until="go-room"), say("ended")])
    run = await deployment.start("solo", prompt="[[takes-room]]")
    await eventually(lambda: has_room(1))
    (worker.folder / "go-room").touch()
    await ended(deployment, run)


async def test_a_tool_has_its_answer_before_there_is_room_for_the_run_to_go_on(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("answered", [ASK, say("{last}")])
    for number in range(4):
        model.script(f"full-{number}", [call("slow", until=f"room-{number}"), say("ended")])
    answered = await deployment.start("heard", prompt="[[answered]]")
    question = await deployment.question(answered)
    await asyncio.sleep(RESTS)
    full = [await deployment.start("solo", prompt=f"[[full-{number}]]") for number in range(2)]
    for number in range(2):
        await called(model, f"full-{number}")
    await deployment.say(question, "approve")
    await until(lambda: any("returned" in each for each in worker.heard()))
    assert model.count("answered") == 1, "it took no step"
    for number in range(2):
        (worker.folder / f"room-{number}").touch()
    await ended(deployment, answered, *full)
    # The slots of all of them are free again.
    more = [await deployment.start("solo", prompt=f"[[full-{number}]]") for number in (2, 3)]
    for number in (2, 3):
        await called(model, f"full-{number}")
    for number in (2, 3):
        (worker.folder / f"room-{number}").touch()
    await ended(deployment, *more)


async def test_a_run_that_finds_no_slot_leaves_before_crewai_does_anything_with_its_answer(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    def handed_on() -> int:
        return sum("handed_on" in each for each in worker.heard())

    before = handed_on()
    model.script("held", [ASK, say("{last}")])
    held = await deployment.start("heard", prompt="[[held]]")
    question = await deployment.question(held)
    await asyncio.sleep(RESTS)
    for number in range(2):
        model.script(f"holds-{number}", [call("slow", until=f"let-{number}"), say("ended")])
    full = [await deployment.start("solo", prompt=f"[[holds-{number}]]") for number in range(2)]
    for number in range(2):
        await called(model, f"holds-{number}")
    await deployment.say(question, "approve")
    await deployment.until(held, lambda now: now.status is RunStatus.QUEUED)
    assert handed_on() == before
    for number in range(2):
        (worker.folder / f"let-{number}").touch()
    await ended(deployment, held, *full)
    assert handed_on() == before + 1
