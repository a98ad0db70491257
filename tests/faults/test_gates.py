"""SIGKILL at every boundary around an approval and its call: at most one call, and nobody is asked twice."""

import asyncio
import itertools
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.questions.question import Action, Question, Source
from bot.core.questions.response import make_response
from bot.core.runs.run import Run, RunStatus
from bot.store.redis import RedisStore, open_store
from tests.contract.crews.deployment import environment
from tests.contract.examples import ADA, LOST, new_run
from tests.fork_server.client import Child, Command, ForkServer
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SURE = ("before ask", "after ask", "after answer", "before intent", "after result", "before executed")
"""Where it is certain whether the call was made."""
UNSURE = ("after intent", "before call", "after call", "before result")
"""Where the call may have happened: a person says how to go on, as for all tools."""


class Scene:
    """A store, a run with one call behind a gate, and the workers that execute it."""

    def __init__(self, url: str, store: RedisStore, fork_server: ForkServer, folder: Path) -> None:
        self._url = url
        self.store = store
        self._fork_server = fork_server
        self._folder = folder
        self._effects = folder / "effects"

    async def begun(self) -> Run:
        from crews.definitions.definition import CrewFile
        from crews.definitions.policies import Policies

        card = CrewFile(title="Gated").card("gated", Policies())
        run, _ = await self.store.runs.start(new_run(crew=card))
        return run

    def worker(self, name: str, boundary: str = "") -> Child:
        env = environment(self._folder) | {"GATE_EFFECTS": str(self._effects)}
        command = Command("tests.faults.gate_worker", (self._url, name, boundary, str(self._folder)))
        return self._fork_server.born(command, env, self._folder, self._folder / f"{name}.log")

    @property
    def paid(self) -> list[str]:
        return self._effects.read_text().splitlines() if self._effects.exists() else []

    async def question(self, run: Run, source: Source) -> Question:
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                for each in await self.store.questions.list(run.id):
                    if each.open and each.source is source:
                        return each
                await asyncio.sleep(0.02)
        raise AssertionError

    async def gates(self, run: Run) -> list[Question]:
        return [each for each in await self.store.questions.list(run.id) if each.source is Source.GATE]

    async def approve(self, run: Run) -> None:
        question = await self.question(run, Source.GATE)
        said = make_response(Action.APPROVE, ADA, key=uuid.uuid4().hex, digest=question.digest)
        await self.store.questions.respond(run.id, question.id, said)

    async def choose(self, run: Run, label: str) -> None:
        question = await self.question(run, Source.SYSTEM)
        option = next(each.id for each in question.options if each.label == label)
        said = make_response(Action.CHOOSE, ADA, key=uuid.uuid4().hex, value=option)
        await self.store.questions.respond(run.id, question.id, said)

    async def killed(self, run: Run, boundary: str) -> Child:
        """The run's first worker has died there, and another one takes it up."""
        first = self.worker("first", boundary)
        if boundary not in {"before ask", "after ask"}:
            await self.approve(run)
        assert await asyncio.to_thread(first.wait, WITHIN) == -signal.SIGKILL
        assert await self.store.queue.abandon("first", LOST) == [run.id]
        return self.worker("second")

    async def over(self, run: Run, worker: Child) -> Run:
        assert await asyncio.to_thread(worker.wait, WITHIN) == 0, (self._folder / "second.log").read_text()
        now = await self.store.runs.get(run.id)
        assert now.status is RunStatus.COMPLETED, now.error
        return now


@pytest.fixture
async def scene(redis_url: str, fork_server: ForkServer, tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_store(redis_url) as store:
        yield Scene(redis_url, store, fork_server, tmp_path)


@pytest.mark.parametrize("boundary", [*SURE, "after executed"])
async def test_where_it_is_certain_the_call_is_made_once_and_asked_about_once(
    scene: Scene, boundary: str
) -> None:
    run = await scene.begun()
    worker = await scene.killed(run, boundary)
    if boundary in {"before ask", "after ask"}:
        await scene.approve(run)
    done = await scene.over(run, worker)
    assert done.result == "paid 5"
    assert scene.paid == ["5"]
    [question] = await scene.gates(run)
    record = await scene.store.questions.record(run.id, question.id)
    assert record.executed is not None, "what was called is recorded, whoever died before that"


@pytest.mark.parametrize("boundary", UNSURE)
async def test_where_it_may_have_happened_it_is_not_made_again_by_itself(scene: Scene, boundary: str) -> None:
    run = await scene.begun()
    worker = await scene.killed(run, boundary)
    made = [*scene.paid]
    await scene.choose(run, "Skip it")
    done = await scene.over(run, worker)
    assert "decided not to repeat it" in (done.result or "")
    assert scene.paid == made
    assert len(made) <= 1
    assert len(await scene.gates(run)) == 1


async def test_who_wants_it_again_needs_another_approval(scene: Scene) -> None:
    run = await scene.begun()
    worker = await scene.killed(run, "after call")
    await scene.choose(run, "Do it again")
    again = await scene.question(run, Source.GATE)
    assert "may have happened already" in again.context
    assert scene.paid == ["5"]
    await scene.approve(run)
    assert (await scene.over(run, worker)).result == "paid 5"
    assert scene.paid == ["5", "5"]
    assert len(await scene.gates(run)) == 2


def test_every_boundary_is_tried() -> None:
    text = (Path(__file__).parent / "gate_worker.py").read_text()
    listed = text.split("BOUNDARIES = (", 1)[1].split(")", 1)[0]
    assert {*SURE, *UNSURE, "after executed"} == {
        each.strip().strip('",') for each in listed.split("\n") if each.strip()
    }
