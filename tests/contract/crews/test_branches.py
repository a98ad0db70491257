"""A run that does several things at a time doesn't leave while one of them is on its way to its question."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.contract.crews.test_plain_crewai import parked
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel, call, say, text_of

CREWS = ("tasks", "awaited_tasks", "tasks_in_a_thread", "tasks_in_a_method", "methods")
ENTRY_POINTS = "[crewdeck.crews]\n" + "\n".join(
    f"{name} = tests.contract.crews.branching_crews:{name}" for name in (*CREWS, "tickets")
)


@pytest.fixture(scope="module")
def worker(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    """A run leaves as soon as it does nothing but wait for people."""
    hot = {"CREWDECK_HOT_WINDOW": "0"}
    with WorkerProcess.started(model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server, **hot) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def deployment(worker: WorkerProcess) -> AsyncIterator[Deployment]:
    async with Deployment.at(worker.redis_url, lambda: worker.log) as at:
        yield at


@pytest.mark.parametrize("crew", CREWS)
async def test_a_question_is_asked_however_late_the_code_before_it_comes_to_it(
    deployment: Deployment, model: LoopbackModel, crew: str
) -> None:
    """Others wait for people meanwhile: it would not be asked until one of them was answered."""
    asks = {"first": "For first?", "second": "For second? (late)"}
    for name, words in asks.items():
        model.script(name, [call("ask_human", question=words, kind="text"), say(f"{name}: {{last}}")])
    model.script("last", [say("both are done")])
    before = [model.count(name) for name in asks]
    run = await deployment.start(crew, prompt="-")
    many = 3 if crew == "methods" else 2
    asked = await deployment.asked(run, many)
    assert {question.prompt for question in asked} == set(asks.values())
    for question in asked:
        await deployment.say(question, "yes")
    assert "both are done" in await deployment.result(run)
    assert len(await deployment.store.questions.list(run.id)) == many
    told = next(text_of(each) for each in reversed(model.requests[-1].body["messages"]))
    assert all(f"{name}: Ada answered: yes" in told for name in asks), "each task has its own output"
    assert [model.count(name) - earlier for name, earlier in zip(asks, before, strict=True)] == [2, 2]


async def test_duplicate_calls_of_a_turn_have_their_own_results_again(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    """Whichever thread came first, before the run was parked and afterwards: the model is told the same."""
    draw = call("ticket", queue="A")
    ask = call("ask_human", question="Go on?", kind="text")
    model.script("tickets", [draw & draw, ask, say("{last}")])
    run = await deployment.start("tickets", prompt="[[tickets]]")
    question = await deployment.question(run)
    await parked(worker, run)
    await deployment.say(question, "yes")
    await deployment.result(run)
    assert len(await deployment.store.questions.list(run.id)) == 1, "nobody is asked whether the run changed"
    assert model.count("tickets") == 3
    told = [text_of(each) for each in model.requests[-1].body["messages"] if each["role"] == "tool"]
    assert told[:2] == ["number 2", "number 1"]
