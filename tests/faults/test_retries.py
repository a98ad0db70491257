"""Runs that failed or were cancelled are tried again, from where they were."""

import asyncio
import uuid

import pytest

from bot.core.errors import Refused
from bot.core.questions.question import QuestionKind
from bot.core.retry import retry
from bot.core.runs.run import Run, RunStatus
from tests.contract.crews.deployment import ADA, Deployment
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import LoopbackModel, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]


async def retried(deployment: Deployment, run: Run) -> Run:
    return await retry(deployment.store, await deployment.store.runs.get(run.id), key=uuid.uuid4().hex)


async def failed(deployment: Deployment, run: Run, code: str) -> None:
    done = await deployment.over(run)
    assert done.error is not None
    assert done.error.code == code


async def test_a_run_whose_model_failed_goes_on_with_that_call(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    mark = "refused"
    model.script(
        mark,
        [
            call("effect", mark=mark, what="one"),
            call("ask_human", question="Which?", options=["Tea", "Coffee"]),
            say("{last}"),
        ],
    )
    run = await deployment.start("steps", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    model.fail(401, times=3)
    await deployment.say(question, "Tea")
    await failed(deployment, run, "model_error")
    before = model.count(mark)
    new = await retried(deployment, run)
    assert await deployment.result(new) == "Ada chose 'Tea'."
    assert model.count(mark) == before + 1
    assert worker_deployment.effects(mark) == ["one"]
    assert (new.retry_of, new.requester, new.place) == (run.id, run.requester, run.place)
    assert await deployment.store.questions.list(new.id) == [], "nobody is asked again"
    told = [event.body.type for event in await deployment.events(new)]
    assert told == ["run_started", "task_started", "task_completed", "run_completed"]


ASKED_TWICE = 5
"""Events: the run and its task started; asked, answered, asked."""


async def test_answers_are_kept_through_any_number_of_tries(
    deployment: Deployment, model: LoopbackModel
) -> None:
    mark = "cancelled"
    asks = [call("ask_human", question=f"{number}?") for number in ("First", "Second", "Third")]
    model.script(mark, [*asks, say("{last}")])
    run = await deployment.start("steps", prompt=f"[[{mark}]]")
    for number in ("First", "Second"):
        question = await deployment.question(run)
        assert question.prompt == f"{number}?"
        await deployment.say(question, number.lower())
        await deployment.until(run, lambda now: now.seq == ASKED_TWICE)
        await deployment.store.runs.cancel(run.id, ADA)
        run = await retried(deployment, run)
    [question] = await deployment.asked(run)
    assert question.prompt == "Third?"
    await deployment.say(question, "third")
    assert await deployment.result(run) == "Ada answered: third"
    assert model.count(mark) == 4


async def test_a_review_that_ended_the_run_is_asked_again(
    deployment: Deployment, model: LoopbackModel
) -> None:
    mark = "rejected"
    model.script(mark, [say("A draft")])
    run = await deployment.start("reviewed", prompt=f"[[{mark}]]")
    await deployment.say(await deployment.question(run), "Reject")
    await failed(deployment, run, "rejected")
    new = await retried(deployment, run)
    review = await deployment.question(new)
    assert (review.kind, review.context) == (QuestionKind.REVIEW, "A draft")
    await deployment.say(review, "Approve")
    assert await deployment.result(new) == "A draft"
    assert model.count(mark) == 1


async def test_finished_tasks_are_not_done_again(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("first-kept", lambda said: say("First") if "Publish" not in str(said.messages) else ASK)
    run = await deployment.start("kept_second", prompt="[[first-kept]]")
    await deployment.question(run)
    await deployment.store.runs.cancel(run.id, ADA)
    new = await retried(deployment, run)
    await deployment.question(new)
    assert model.count("first-kept") == 2
    await deployment.store.runs.cancel(new.id, ADA)


ASK = call("ask_human", question="Publish?")


async def test_the_same_call_starts_one_run_and_a_completed_one_is_left_alone(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script("simple", [call("ask_human", question="Go?"), say("{last}")])
    run = await deployment.start("steps", prompt="[[simple]]")
    await deployment.question(run)
    with pytest.raises(Refused, match="not over"):
        await retried(deployment, run)
    cancelled = await deployment.store.runs.cancel(run.id, ADA)
    first, second = await asyncio.gather(*(retry(deployment.store, cancelled, key="a") for _ in range(2)))
    assert first.id == second.id
    other = await retry(deployment.store, cancelled, key="b")
    assert other.id != first.id
    for each in (first, other):
        await deployment.say(await deployment.question(each), "yes")
        assert await deployment.result(each) == "Ada answered: yes"
    assert model.count("simple") == 3
    done = await deployment.store.runs.get(other.id)
    assert done.status is RunStatus.COMPLETED
    with pytest.raises(Refused, match="completed"):
        await retried(deployment, done)
