"""Agents elsewhere (A2A): what they were asked is a step of the run, and isn't asked again."""

import json
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from bot.core.retry import retry
from tests.contract.crews.a2a_peer import Peer
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.contract.crews.features import shows
from tests.contract.crews.test_features import (
    APPROVED,
    ASK,
    IN_YAML,
    PARKS,
    assert_asked_once,
    settled,
)
from tests.fork_server.client import ForkServer
from tests.loopback.models import Conversation, LoopbackModel, Turn, say, text_of
from tests.new_interpreter import output_of
from tests.waiting import WITHIN, until

ENTRY_POINTS = "[crewdeck.crews]\n" + "\n".join(
    f"{name} = tests.contract.crews.a2a_crew:{name}" for name in ("crew_of_one", "flow")
)


@pytest.fixture(scope="module")
def worker(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    with WorkerProcess.started(
        model.base_url, IN_YAML, ENTRY_POINTS, fork_server, CREWDECK_LEASE="1", **PARKS
    ) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def plain(worker: WorkerProcess) -> AsyncIterator[Deployment]:
    async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
        yield deployment


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer() as started:
        yield started


def delegating(url: str, *questions: str) -> Callable[[Conversation], Turn]:
    """A model that asks the agent at `url`, then people, and then says what both said."""

    def answer(conversation: Conversation) -> Turn:
        said = "\n".join(text_of(each) for each in conversation.messages)
        for number, question in enumerate(questions, start=1):
            if f"High water at {number}" not in said and "Skipped" not in said:
                return say(json.dumps({"a2a_ids": [url], "message": question, "is_a2a": True}))
        if not conversation.results:
            return ASK
        told = f"{conversation.results[-1]} {'skipped' if 'Skipped' in said else 'told'}"
        return say(json.dumps({"a2a_ids": [], "message": told, "is_a2a": False}))

    return answer


@pytest.mark.parametrize(
    ("crew", "how", "calls"),
    [
        ("crew_of_one", "streamed", {"message/stream": 2}),
        ("crew_of_one", "polled", {"message/send": 2, "tasks/get": 3}),
        ("flow", "streamed", {"message/stream": 2}),
    ],
)
@shows("A2A")
async def test_agents_elsewhere_are_asked_once(
    plain: Deployment,
    worker: WorkerProcess,
    model: LoopbackModel,
    peer: Peer,
    crew: str,
    how: str,
    calls: dict[str, int],
) -> None:
    marker = f"a2a-{crew.replace('_', '-')}-{how}"
    model.script(marker, delegating(peer.url, "When?", "And then?"))
    run = await plain.start(crew, prompt=f"[[{marker}]]", url=peer.url, how=how)
    assert await settled(plain, worker, run) == f"{APPROVED} told"
    assert peer.heard == ["When?", "And then?"]
    assert peer.called == calls | {"card": peer.called["card"]}
    assert_asked_once(model, marker)
    assert model.count(marker) == 4


@shows("A2A")
async def test_a_call_that_was_interrupted_is_made_again_only_if_the_requester_says_so(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel, peer: Peer
) -> None:
    peer.answers.clear()
    model.script("skipped", delegating(peer.url, "Pay it?"))
    run = await plain.start("crew_of_one", prompt="[[skipped]]", url=peer.url, how="streamed")
    await until(lambda: peer.called["message/stream"] == 1)
    cards = peer.called["card"]
    worker.process.kill()
    worker.process.wait(WITHIN)
    worker.start()
    question = await plain.question(run)
    assert f"A2A agent {peer.url.removeprefix('http://')}" in question.prompt
    await plain.say(question, "Skip it")
    await plain.say(await plain.question(run), "approve")
    assert await plain.result(run) == f"{APPROVED} skipped"
    assert peer.heard == ["Pay it?"]
    assert peer.called["card"] == cards, "another card would make another prompt"


@shows("A2A")
@pytest.mark.parametrize("crew", ["crew_of_one", "flow"])
async def test_push_notifications_are_refused_before_anybody_is_asked(
    plain: Deployment, model: LoopbackModel, peer: Peer, crew: str
) -> None:
    """For a crew when it is built; a flow's own code makes its agents."""
    model.script("pushed", delegating(peer.url, "When?"))
    done = await plain.over(await plain.start(crew, prompt="[[pushed]]", url=peer.url, how="pushed"))
    assert done.error is not None
    assert "push notifications" in done.error.message
    assert not peer.heard


@shows("A2A")
async def test_a_call_that_can_not_be_made_ends_the_run_like_a_tool_that_failed(
    plain: Deployment, model: LoopbackModel, peer: Peer
) -> None:
    peer.requires = "urn:example:unknown"
    model.script("refused", delegating(peer.url, "When?"))
    done = await plain.over(
        await plain.start("crew_of_one", prompt="[[refused]]", url=peer.url, how="streamed")
    )
    assert done.error is not None
    assert done.error.code == "tool_error"
    assert f"A2A agent {peer.url.removeprefix('http://')} failed" in done.error.message


@shows("A2A")
@pytest.mark.parametrize("crew", ["crew_of_one", "flow"])
async def test_an_agent_that_was_down_is_asked_when_the_run_is_retried(
    plain: Deployment, worker: WorkerProcess, model: LoopbackModel, peer: Peer, crew: str
) -> None:
    marker = f"down-{crew.replace('_', '-')}"
    peer.down = True
    model.script(marker, delegating(peer.url, "When?"))
    done = await plain.over(await plain.start(crew, prompt=f"[[{marker}]]", url=peer.url, how="streamed"))
    assert done.error is not None
    assert done.error.code == "tool_error"
    assert not peer.heard
    peer.down = False
    again = await retry(plain.store, done, key="again")
    assert await settled(plain, worker, again) == f"{APPROVED} told"
    assert peer.heard == ["When?"]


MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "a2a":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from crewai import Agent
from crews.crewai_adapter.tools import a2a
from crews.definitions.exceptions import CrewBroken

a2a.install()
who = {"role": "Asks", "goal": "Ask", "backstory": "You ask.", "llm": "openai/gpt-5.4-mini"}
assert Agent(**who).role == "Asks"
try:
    Agent(**who, a2a={"endpoint": "http://127.0.0.1:9"})
except CrewBroken as error:
    print(error)
"""


@shows("A2A")
def test_without_the_extra_of_crewai_it_is_said_what_to_install() -> None:
    said = output_of(MISSING, OPENAI_API_KEY="sk-test")
    assert said.startswith("The agent 'Asks' has `a2a`, which needs packages")
    assert said.endswith('pip install "crewai[a2a]"\n')
