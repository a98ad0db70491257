"""CrewAI projects of several kinds, run by `crewdeck serve` without an edit."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.core import starting
from bot.core.actor import Actor
from bot.core.crew import Crew
from bot.core.run import Run, RunStatus
from bot.store.redis import RedisStore, open_store
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say
from tests.scenario.server import Server

PROJECTS = Path(__file__).resolve().parents[1] / "projects"
pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA", name="Ada")
WITHIN = 120.0
"""Seconds: the workers of all projects start at once, and each imports crewai."""


class ProjectDeployment:
    """One server for all projects, its store, and the model that they talk to."""

    def __init__(self, server: Server, store: RedisStore, folder: Path) -> None:
        self.server = server
        self.store = store
        self.folder = folder

    async def crew(self, name: str) -> Crew:
        await self.until(lambda: self._has(name))
        return (await self.store.catalogue.crews())[name]

    async def _has(self, name: str) -> bool:
        return name in await self.store.catalogue.crews()

    async def result(self, name: str, inputs: dict[str, Any] | None = None) -> str:
        """What a run of the crew comes to."""
        run = await self.start(name, inputs or {})
        done = await self.ended(run)
        assert done.status is RunStatus.COMPLETED, f"{done.error}\n{self.server.story()}"
        return done.result or ""

    async def start(self, name: str, inputs: dict[str, Any]) -> Run:
        plan = starting.plan(await self.crew(name), inputs, ADA, key=f"{name}-{time.monotonic()}")
        return (await self.store.runs.start(plan))[0]

    async def ended(self, run: Run) -> Run:
        await self.until(lambda: self._is_over(run))
        return await self.store.runs.get(run.id)

    async def _is_over(self, run: Run) -> bool:
        return (await self.store.runs.get(run.id)).status.over

    async def until(self, there: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + WITHIN
        while not await there():
            assert time.monotonic() < deadline, self.server.story()
            await asyncio.sleep(0.1)


def answer(conversation: Conversation) -> Turn:
    """The model of all projects: uses the tool that it is offered once, then says whose turn it was."""
    offered = [each["function"]["name"] for each in conversation.body.get("tools") or ()]
    if "archive" in offered and not conversation.results:
        return call("archive", words="canals")
    task = conversation.messages[-1] if conversation.answered == 0 else conversation.messages[1]
    return say(f"Said after {conversation.results or 'nothing'} to: {str(task.get('content'))[:200]}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProjectDeployment]:
    folder = tmp_path_factory.mktemp("projects")
    shutil.copytree(PROJECTS, folder, dirs_exist_ok=True)
    async with LoopbackModel() as model:
        model.script("default", answer)
        names = sorted(each.name for each in folder.iterdir() if each.is_dir())
        settings = {
            "OPENAI_API_KEY": "sk-loopback",
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_BASE": model.base_url,
            "CREWDECK_PROJECTS": ",".join(str(folder / name) for name in names),
        }
        async with Server.start(settings) as server, open_store(server.store_url) as store:
            yield ProjectDeployment(server, store, folder)


async def test_a_class_with_yaml_and_a_tool_of_its_own(on: ProjectDeployment) -> None:
    crew = await on.crew("newsroom")
    assert [(each.name, each.required) for each in crew.inputs] == [("subject", True), ("year", True)]
    assert crew.description == "Two colleagues who write a piece on a subject."
    result = await on.result("newsroom", {"subject": "canals", "year": "2026"})
    assert "Write a piece on canals" in result
