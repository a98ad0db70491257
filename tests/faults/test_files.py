"""Files of runs whose worker is killed, or that leave memory: each is given once, and each is there again."""

import asyncio
import uuid

import pytest

from bot.core import input_files, starting
from bot.core.events.event import FileAttached
from bot.core.runs.run import Run
from tests.contract.crews.deployment import ADA, Deployment
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say, text_of

pytestmark = [pytest.mark.faults, pytest.mark.slow]


async def started(deployment: Deployment, mark: str) -> Run:
    """A run that has a file as an input."""
    crew = (await deployment.announced("filed"))["filed"]
    upload, _ = await input_files.upload(deployment.store.files, "plan.txt", b"tides", ADA)
    given = {"prompt": f"[[{mark}]]", "doc": upload}
    return await starting.start(deployment.store, starting.plan(crew, given, ADA, key=uuid.uuid4().hex))


@pytest.mark.parametrize("way", ["killed", "parked"])
async def test_files_survive_and_are_given_once(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel, way: str
) -> None:
    mark = f"files-{way}"

    def played(conversation: Conversation) -> Turn:
        prompt = "\n".join(map(text_of, conversation.messages))
        assert "inputs/doc/plan.txt" in prompt
        if "First, with" in prompt and "Second, with" not in prompt:
            if conversation.answered == 0:
                return call("writes", mark=mark, name="one.txt")
            return say(f"# First {conversation.results[-1]}")
        if conversation.answered == 0:
            return call("ask_human", question="Which?")
        if conversation.answered == 1:
            return call("writes", mark=mark, name="two.txt")
        return say(f"# Second {conversation.results[-1]}")

    model.script(mark, played)
    run = await started(deployment, mark)
    question = await deployment.question(run)
    if way == "killed":
        await asyncio.to_thread(worker_deployment.kill, run)
    else:
        await worker_deployment.parked(run)
    await deployment.say(question, "this one")
    there = "inputs/doc/plan.txt one.txt out/first.md two.txt"
    assert await deployment.result(run) == f"# Second {there}"
    assert worker_deployment.effects(mark) == ["one.txt", "two.txt"]
    texts = {
        file.name: b"".join([part async for part in deployment.store.files.read(run.id, file.id)]).decode()
        for file in await deployment.store.files.list(run.id)
    }
    assert texts == {
        "plan.txt": "tides",
        "one.txt": "about tides",
        "first.md": "# First inputs/doc/plan.txt one.txt",
        "two.txt": "about tides",
        "second.md": f"# Second {there}",
    }
    given = [each.body.name for each in await deployment.events(run) if isinstance(each.body, FileAttached)]
    assert given == ["one.txt", "first.md", "two.txt", "second.md"]
