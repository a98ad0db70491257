"""Workers that stand still for longer than their leases, and those that only seem to."""

import asyncio
import random

import pytest

from bot.core.questions.question import Question
from bot.core.runs.run import Run
from tests.contract.crews.deployment import Deployment
from tests.faults.checks import ended_once
from tests.faults.process_deployment import LEASE, Machine, ProcessDeployment
from tests.loopback.models import LoopbackModel, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
async def workers(processes: ProcessDeployment) -> list[Machine]:
    made = [processes.worker(), processes.worker()]
    for worker in made:
        await worker.ready()
    return made


async def test_a_worker_that_wakes_up_after_its_lease_changes_nothing_any_more(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, workers: list[Machine], mark: str
) -> None:
    """It was in the midst of a tool; what it does when it wakes up is in nobody's records."""
    model.script(
        mark,
        [
            call("effect", mark=mark, what="before"),
            call("lasting", mark=mark, what="work", seconds=3 * LEASE),
            call("effect", mark=mark, what="after"),
            call("ask_human", question="Right?"),
            say("{last}"),
        ],
    )
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    await processes.did(mark, 2)
    sleeper = await processes.held(run)
    sleeper.pause()
    await people.until(run, lambda now: now.epoch >= 3)
    sleeper.resume()
    question = await people.question(run)
    await sleeper.left(run)
    await people.say(question, "yes")
    assert await people.result(run) == "Ada answered: yes"
    assert processes.effects(mark) == ["before", "work", "work", "after"]
    assert model.count(mark) in {5, 6}, "it may have asked the model once more than it could record"
    assert (await ended_once(people, run)).count("human_input_required") == 1
    await _works(processes, people, model, sleeper, next(each for each in workers if each is not sleeper))


async def _works(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, worker: Machine, other: Machine
) -> None:
    """It takes other runs as before."""
    model.script("again", [say("well")])
    other.pause()
    run = await people.start("stuck", prompt="[[again]]")
    assert await people.result(run) == "well"
    assert processes.holder(run) is worker
    other.resume()


async def test_of_two_workers_that_hear_the_same_answer_one_acts_on_it(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str
) -> None:
    """The one that had the runs wakes up at about the moment at which they are answered."""
    runs: list[Run] = []
    sleeper = processes.worker()
    await sleeper.ready()
    for number in range(6):
        name = f"{mark}-{number}"
        model.script(
            name, [call("ask_human", question="May I?"), call("effect", mark=name, what="did"), say("{last}")]
        )
        runs.append(await people.start("stuck", prompt=f"[[{name}]]"))
    questions = [await people.question(run) for run in runs]
    await processes.worker().ready()
    sleeper.pause()
    for run in runs:
        await people.until(run, lambda now: now.epoch >= 3)
    chosen = random.Random(1)

    async def answer(question: Question) -> None:
        await asyncio.sleep(chosen.uniform(0, 0.1))
        await people.say(question, "yes")

    answering = [asyncio.create_task(answer(question)) for question in questions]
    await asyncio.sleep(0.05)
    sleeper.resume()
    await asyncio.gather(*answering)
    for number, run in enumerate(runs):
        assert await people.result(run) == "did did"
        await sleeper.left(run)
        assert processes.effects(f"{mark}-{number}") == ["did"]
        assert model.count(f"{mark}-{number}") == 3
        await ended_once(people, run)


@pytest.mark.usefixtures("workers")
async def test_a_step_that_takes_longer_than_the_lease_is_taken_once(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str
) -> None:
    """Also where a crew blocks the loop on which all crews of its worker run."""
    runs = []
    for tool in ("lasting", "blocking"):
        name = f"{mark}-{tool}"
        model.script(name, [call(tool, mark=name, what=tool, seconds=3 * LEASE), say("{last}")])
        runs.append(await people.start("stuck", prompt=f"[[{name}]]"))
    for run, tool in zip(runs, ("lasting", "blocking"), strict=True):
        assert await people.result(run) == f"did {tool}"
        assert (await people.store.runs.get(run.id)).epoch == 1
        assert processes.effects(f"{mark}-{tool}") == [tool]
        await ended_once(people, run)


@pytest.mark.usefixtures("workers")
async def test_a_tool_that_lets_nothing_else_run_in_its_process_loses_its_run_to_another(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str
) -> None:
    """No thread of the worker can tell anybody that it lives: to all others it is dead."""
    model.script(mark, [call("holding", mark=mark, what="work", seconds=3 * LEASE), say("{last}")])
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    await processes.did(mark, 1)
    holder = await processes.held(run)
    assert await people.result(run) == "did work"
    await holder.left(run)
    assert (await people.store.runs.get(run.id)).epoch == 3
    assert processes.effects(mark) == ["work", "work"]
    await ended_once(people, run)
