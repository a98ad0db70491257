"""Where only a person can say how to go on: calls that may have happened, crews that were changed."""

import asyncio

import pytest

from bot.core.events.event import RunChanged
from bot.core.questions.question import Question, QuestionKind, Source
from bot.core.retry import retry
from bot.core.runs.run import Run, RunStatus
from tests.contract.crews.deployment import Deployment
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import LoopbackModel, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]

LONG_S = 60.0
"""What a tool takes whose worker dies meanwhile."""


async def interrupted(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, crew: str, mark: str
) -> Run:
    """A run whose worker died while its tool was at work."""
    model.script(mark, [call("keyed", mark=mark, seconds=LONG_S), say("{last}")])
    run = await deployment.start(crew, prompt=f"[[{mark}]]")
    await worker_deployment.did(mark, 1)
    await asyncio.to_thread(worker_deployment.kill, run)
    return run


async def asked(deployment: Deployment, run: Run) -> Question:
    question = await deployment.question(run)
    assert (question.kind, question.source) == (QuestionKind.CHOICE, Source.SYSTEM)
    assert question.policy.deciders == run.requester.principals
    return question


async def test_a_call_that_may_have_happened_is_made_again_if_the_requester_says_so(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    run = await interrupted(worker_deployment, deployment, model, "risky", "again")
    question = await asked(deployment, run)
    assert "may have happened" in question.prompt
    await deployment.say(question, "what do you think?")
    await deployment.until(run, lambda now: now.seq >= 5)
    await worker_deployment.parked(run)
    await deployment.say(await asked(deployment, run), "Do it again")
    key = await deployment.result(run)
    assert worker_deployment.effects("again") == [key, key], "the same key each time"
    assert model.count("again") == 2


async def test_or_skipped(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    run = await interrupted(worker_deployment, deployment, model, "risky", "skipped")
    await deployment.say(await asked(deployment, run), "Skip it")
    assert "was decided not to repeat it" in await deployment.result(run)
    assert len(worker_deployment.effects("skipped")) == 1


async def test_or_ends_the_run(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    run = await interrupted(worker_deployment, deployment, model, "risky", "stopped")
    await deployment.say(await asked(deployment, run), "Stop the run")
    done = await deployment.over(run)
    assert done.error is not None
    assert done.error.code == "interrupted"
    assert "Ada stopped the run" in done.error.message
    assert len(worker_deployment.effects("stopped")) == 1


async def test_a_call_that_must_not_be_repeated_ends_the_run(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    run = await interrupted(worker_deployment, deployment, model, "final", "final")
    done = await deployment.over(run)
    assert done.error is not None
    assert done.error.code == "interrupted"
    assert len(worker_deployment.effects("final")) == 1
    again = await retry(deployment.store, done, key="again")
    await deployment.say(await asked(deployment, again), "Do it again")
    key = await deployment.result(again)
    assert worker_deployment.effects("final") == [key, key], "who is called knows that it is the same call"
    assert model.count("final") == 2


async def test_a_run_of_which_its_workers_die_is_quarantined_and_those_beside_it_are_not(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    """Two deaths hit all that a worker holds; for the third the run is alone in a process of its own."""
    model.script("deadly", [call("deadly", deaths=3), say("{last}")])
    for beside in ("beside-1", "beside-2"):
        model.script(beside, [call("effect", mark=beside, what="long", seconds=3.0), say("{last}")])
    model.script("other", [call("ask_human", question="Fine?"), say("{last}")])
    other = await deployment.start("steps", prompt="[[other]]")
    question = await deployment.question(other)
    await worker_deployment.parked(other)
    innocents = [
        await deployment.start("steps", prompt=f"[[{beside}]]") for beside in ("beside-1", "beside-2")
    ]
    await worker_deployment.did("beside-1", 1)
    await worker_deployment.did("beside-2", 1)
    run = await deployment.start("steps", prompt="[[deadly]]")
    for _ in range(2):
        await asyncio.to_thread(worker_deployment.bury)
    done = await deployment.over(run)
    assert "gets a process of its own" in worker_deployment.story()
    assert [event.body.type for event in await deployment.events(run)][-1] == "run_failed"
    assert [await deployment.result(each) for each in innocents] == ["did long"] * 2
    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert done.error.code == "quarantined"
    assert model.count("deadly") == 1
    assert await deployment.result(await retry(deployment.store, done, key="again")) == "survived"
    assert model.count("deadly") == 2
    await deployment.say(question, "yes")
    assert await deployment.result(other) == "Ada answered: yes"


async def test_a_changed_crew_asks_whether_its_runs_go_on_and_of_other_models_only_tells(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    kept, first = await waiting(worker_deployment, deployment, model, "changed")
    ended, other = await waiting(worker_deployment, deployment, model, "ended")
    told, which = await waiting(
        worker_deployment, deployment, model, "bigger", crew="steps", asks=("Which?", "Sure?")
    )
    edits = {
        "agents": {"tools": "[effect, facts]", "backstory": "You never do what is asked."},
        "tasks": {"description": "'Do not do this: {prompt}'"},
    }
    with worker_deployment.rewritten("changing", edits, CREWDECK_MODEL="openai/gpt-5.5"):
        for question in (first, other):
            await deployment.say(question, "tea")
        await goes_on_with_its_model(worker_deployment, deployment, told, which)
        about = await asked(deployment, kept)
        assert (
            "agent “Worker”: backstory, model, tools (new is facts); task “work”: description."
            in about.prompt
        )
        await deployment.say(about, "Go on from here")
        await deployment.say(await asked(deployment, ended), "Cancel the run")
        assert await deployment.result(kept) == "Ada answered: tea"
        over = await deployment.over(ended)
    assert worker_deployment.effects("changed") == ["one"], "what was recorded is reused by content"
    assert model.count("changed") == 5, "its model is asked anew, as its tools are others"
    assert all("not do" not in str(said.body["messages"]) for said in model.requests), "its words are kept"
    assert len(await deployment.store.questions.list(kept.id)) == 2
    assert over.status is RunStatus.CANCELLED
    assert over.cancelled_by is not None
    assert over.cancelled_by.name == "Ada"
    assert [asked.body["model"] for asked in model.requests if asked.marker == "bigger"] == [
        "gpt-5.4-mini", "gpt-5.4-mini", "gpt-5.5", "gpt-5.5",
    ], "what was recorded of the other model is reused"  # fmt: skip
    assert worker_deployment.effects("bigger") == ["one"]


async def goes_on_with_its_model(
    worker_deployment: WorkerDeployment, deployment: Deployment, run: Run, question: Question
) -> None:
    """Where nothing but models is different, nobody is asked; the run says it, once."""
    await deployment.say(question, "tea")
    sure = await deployment.question(run)
    assert sure.prompt == "Sure?"
    await asyncio.to_thread(worker_deployment.kill, run)
    await deployment.say(sure, "yes")
    assert await deployment.result(run) == "Ada answered: yes"
    told = [event.body for event in await deployment.events(run) if isinstance(event.body, RunChanged)]
    assert [event.change for event in told] == ["Goes on with gpt-5.5 instead of gpt-5.4-mini."]


async def waiting(
    worker_deployment: WorkerDeployment,
    deployment: Deployment,
    model: LoopbackModel,
    mark: str,
    crew: str = "changing",
    asks: tuple[str, ...] = ("Which?",),
) -> tuple[Run, Question]:
    """A run that has done something, and is parked until its question is answered."""
    questions = [call("ask_human", question=each) for each in asks]
    model.script(mark, [call("effect", mark=mark, what="one"), *questions, say("{last}")])
    run = await deployment.start(crew, prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await worker_deployment.parked(run)
    return run, question
