"""How runs end when something is in their way: limits, deadlines, cancels, broken crews and models."""

import asyncio
import time

import pytest

from bot.core.retry import retry
from bot.core.runs.run import Run, RunError, RunStatus
from tests.contract.crews.conftest import LEASE_S
from tests.contract.crews.deployment import ADA, Deployment, WorkerProcess, called
from tests.loopback.models import LoopbackModel, call, say
from tests.waiting import until

ASK = call("ask_human", question="Go on?", kind="approval")


async def failure(deployment: Deployment, crew: str, prompt: str) -> RunError:
    done = await deployment.over(await deployment.start(crew, prompt=prompt))
    assert done.status is RunStatus.FAILED, done.result
    assert done.error is not None
    assert "sk-test" not in done.error.message
    return done.error


async def left(worker: WorkerProcess, run: Run) -> None:
    """Returns once nothing of the run goes on in the worker."""
    await until(
        lambda: any('"message": "done"' in line and run.id in line for line in worker.log.splitlines())
    )


async def test_a_run_that_waits_is_cancelled_at_once(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("waiting", [ASK, say("never")])
    run = await deployment.start("solo", prompt="[[waiting]]")
    question = await deployment.question(run)
    before = time.monotonic()
    await deployment.store.runs.cancel(run.id, ADA)
    while (
        f'"run_id": "{run.id}", "level": "info", "logger": "crews.worker.worker"'
        not in worker.log.split("a run left the worker")[-1]
    ):
        assert time.monotonic() - before < LEASE_S / 4, worker.log  # before it next renews its lease
        await asyncio.sleep(0.01)
    withdrawn = await deployment.store.questions.get(run.id, question.id)
    assert withdrawn.outcome is not None
    assert withdrawn.outcome.action == "cancel"
    assert [event.body.type for event in await deployment.events(run)][-1] == "run_cancelled"
    assert model.count("waiting") == 1


async def test_a_run_that_works_is_cancelled_before_its_next_step(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script("working", [call("slow", until="cancelled"), call("lookup", word="x"), say("never")])
    run = await deployment.start("solo", prompt="[[working]]")
    await called(model, "working")
    await deployment.store.runs.cancel(run.id, ADA)
    (worker.folder / "cancelled").touch()
    await left(worker, run)
    assert (await deployment.store.runs.get(run.id)).status is RunStatus.CANCELLED
    assert model.count("working") == 1


async def test_a_delegated_agent_that_waits_in_its_thread_is_cancelled_too(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script(
        "delegated",
        lambda said: (
            call("delegate_work_to_coworker", task="[[delegated]]", context="-", coworker="Reader")
            if "delegate_work_to_coworker" in str(said.body.get("tools"))
            else ASK
        ),
    )
    run = await deployment.start("team", prompt="[[delegated]]")
    await deployment.question(run)
    asked = model.count("delegated")
    await deployment.store.runs.cancel(run.id, ADA)
    await left(worker, run)
    assert model.count("delegated") == asked


async def test_model_calls_are_limited(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("busy", [call("lookup", word=str(number)) for number in range(9)])
    error = await failure(deployment, "few_calls", "[[busy]]")
    assert error.code == "limit_model_calls"
    assert "its limit of 2 model calls" in error.message
    assert model.count("busy") == 2


async def test_the_limit_holds_for_each_try_by_itself(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("tried", [call("lookup", word="one"), call("lookup", word="two"), say("{last}")])
    run = await deployment.start("few_calls", prompt="[[tried]]")
    stopped = await deployment.over(run)
    assert stopped.error is not None
    assert stopped.error.code == "limit_model_calls"
    assert await deployment.result(await retry(deployment.store, stopped, key="again")) == "two is known"
    assert model.count("tried") == 3


async def test_working_time_is_limited_and_waiting_for_people_is_no_work(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
) -> None:
    """When another run, which asks nobody, has reached the limit, the first has waited for as long."""
    model.script("slowly", [ASK, call("slow", until="over"), say("never")])
    model.script("works", [call("slow", until="over"), say("never")])
    run = await deployment.start("short_time", prompt="[[slowly]]")
    question = await deployment.question(run)
    assert (await failure(deployment, "short_time", "[[works]]")).code == "limit_time"
    assert (await deployment.store.runs.get(run.id)).status is RunStatus.INPUT_REQUIRED
    await deployment.say(question, "approve")
    done = await deployment.over(run)
    (worker.folder / "over").touch()
    assert done.error is not None
    assert done.error.code == "limit_time"
    assert "worked more than 8 s, its limit" in done.error.message


async def test_the_crew_hears_that_nobody_answered(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("silence", [ASK, say("{last}")])
    run = await deployment.start("hasty", prompt="[[silence]]")
    assert await deployment.result(run) == "Nobody answered before the deadline."


async def test_silence_counts_as_a_rejection_where_the_crew_says_so(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script("silence", [ASK, say("{last}")])
    run = await deployment.start("rejecting", prompt="[[silence]]")
    assert await deployment.result(run) == "Nobody answered before the deadline; that counts as a rejection."


@pytest.mark.parametrize(
    ("crew", "code", "words"),
    [
        ("keyless", "missing_key", "OPENROUTER_API_KEY"),
        ("broken_tool", "crew_broken", "Nowhere"),
    ],
)
async def test_a_crew_that_cant_be_built_says_what_is_missing(
    deployment: Deployment, crew: str, code: str, words: str
) -> None:
    error = await failure(deployment, crew, "anything")
    assert error.code == code
    assert words in error.message


async def test_a_provider_that_refuses_the_key_is_explained(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script("refused", [say("never")])
    model.fail(401, times=3)
    error = await failure(deployment, "solo", "[[refused]]")
    assert error.code == "model_error"
    assert "refused the key (401)" in error.message


async def test_a_broken_definition_is_logged_and_not_announced(
    deployment: Deployment, worker: WorkerProcess
) -> None:
    assert "unreadable" not in await deployment.store.catalogue.crews()
    assert "unreadable/crew.yaml:9: on_deadlin: is no key that Crewdeck knows" in worker.log
    assert "tests.contract.crews.toolbox:nothing_there can't be imported" in worker.log


async def test_nothing_secret_is_in_the_log(worker: WorkerProcess) -> None:
    assert "sk-test" not in worker.log
