"""CrewAI's memory, whose entries are written beside the run, where the run's worker is killed."""

import asyncio
import json

import pytest

from tests.contract.crews.deployment import Deployment, called
from tests.faults.worker_deployment import WorkerDeployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, say, text_of

pytestmark = [pytest.mark.faults, pytest.mark.slow]

LONG_S = 60.0
"""What a model takes whose caller dies meanwhile."""
MARK = "remembers-ferries"
FACT = f"The ferry leaves at nine. [[{MARK}]]"
SORTED = {
    "suggested_scope": "/",
    "categories": [],
    "importance": 0.5,
    "extracted_metadata": {"entities": [], "dates": [], "topics": []},
}


async def test_what_a_finished_task_came_to_is_remembered(
    worker_deployment: WorkerDeployment, deployment: Deployment, model: LoopbackModel
) -> None:
    """CrewAI writes it while the next task begins: until then the first one isn't finished."""
    asked: list[str] = []

    def answer(conversation: Conversation) -> Turn:
        prompt = "\n".join(map(text_of, conversation.messages))
        if conversation.body.get("tools"):
            asked.append("second" if "Second:" in prompt else "first")
            return say("It does." if asked[-1] == "second" else FACT)
        if "hierarchical memory" in prompt:
            asked.append("sorted")
            return say(json.dumps(SORTED))
        asked.append("extracted")
        if (
            len(asked) == 2
        ):  # The next call, which sorts what was extracted, is under way when its caller dies.
            model.delay(LONG_S)
        return say(json.dumps({"memories": [FACT]}))

    model.script(MARK, answer)
    run = await deployment.start("remembering", prompt=f"[[{MARK}]]")
    await called(model, MARK, 3)
    model.delay(0)
    await asyncio.to_thread(worker_deployment.kill, run)
    assert await deployment.result(run) == "It does."
    assert asked[:4] == ["first", "extracted", "sorted", "second"], "each once"
