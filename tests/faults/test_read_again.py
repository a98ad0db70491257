"""What was recorded of a class: exceptions are raised again; of a class that has changed people are asked."""

import asyncio

import pytest

from bot.core.questions.question import Source
from tests.contract.crews.deployment import Deployment
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]


async def test_a_flow_catches_what_it_caught_before(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, mark: str
) -> None:
    model.fail(400)
    run = await deployment.start("refused", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    await asyncio.to_thread(worker_deployment.kill, run)
    await deployment.say(question, "yes")
    assert await deployment.result(run) == "['400 server_error', 'it is closed'] yes"
    assert worker_deployment.effects(mark) == ["failed"]


@pytest.mark.parametrize("asked_in", ["report", "publish"])
async def test_an_output_class_that_was_changed_under_a_run_is_asked_about(
    worker_deployment: WorkerDeployment,
    deployment: Deployment,
    model: LoopbackModel,
    mark: str,
    asked_in: str,
) -> None:
    """Whether the task that has it is finished, or waits."""

    def said(conversation: Conversation) -> Turn:
        task = "publish" if "Publish this" in str(conversation.messages) else "report"
        if task == asked_in and conversation.answered == 0:
            return call("ask_human", question="Go on?")
        return say('{"title": "Tides", "pages": 3}' if task == "report" else "published")

    model.script(mark, said)
    run = await deployment.start("reporting", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    with worker_deployment.rewritten("steps", {}, REPORT="longer"):
        await deployment.say(question, "yes")
        doubt = await deployment.question(run)
        assert doubt.source is Source.SYSTEM
        assert "task “report”" in doubt.prompt
        await deployment.say(doubt, "Go on from here")
        assert await deployment.result(run) == "published"
    assert (
        len(
            [
                each
                for each in await deployment.store.questions.list(run.id)
                if each.source is not Source.SYSTEM
            ]
        )
        == 1
    )


async def test_a_result_whose_class_was_changed_is_asked_about_before_the_tool_is_called_again(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, mark: str
) -> None:
    model.script(mark, [call("filing", mark=mark), call("ask_human", question="Go on?"), say("{last}")])
    run = await deployment.start("filing", prompt=f"[[{mark}]]")
    question = await deployment.question(run)
    with worker_deployment.rewritten("steps", {}, REPORT="longer"):
        await deployment.say(question, "yes")
        doubt = await deployment.question(run)
        assert (
            "what the tool “filing” returned can't be read any more, since Report has changed" in doubt.prompt
        )
        assert worker_deployment.effects(mark) == ["filed"]
        await deployment.say(doubt, "Go on from here")
        await worker_deployment.did(mark, 2)
        other = await deployment.question(run)
        assert "asks its model something else" in other.prompt, "it returned something else"
        await deployment.say(other, "Go on from here")
        assert await deployment.result(run) == "Ada answered: yes"
    assert worker_deployment.effects(mark) == ["filed", "filed"]
