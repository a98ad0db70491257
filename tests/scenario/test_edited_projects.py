"""`crewdeck serve` while a project is edited: new runs have the edit, and a broken one changes nothing."""

import asyncio
import itertools
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.contract.crews.deployment import Deployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, say, text_of
from tests.scenario.server import Server
from tests.waiting import WITHIN

NEWSROOM = Path(__file__).resolve().parents[1] / "projects" / "newsroom"
pytestmark = pytest.mark.slow


def answer(conversation: Conversation) -> Turn:
    asked = next(text_of(each) for each in conversation.messages if each["role"] == "user")
    return say(f"Done: {' '.join(asked.split())[:160]}")


async def until(condition: Callable[[], Awaitable[bool]], story: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                if await condition():
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(story()) from None


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 1_000_000))


async def test_edited_code_is_taken_over_and_a_broken_edit_is_not(tmp_path: Path) -> None:
    project = tmp_path / "newsroom"
    shutil.copytree(NEWSROOM, project)
    source = project / "src" / "newsroom"
    async with LoopbackModel() as model:
        model.script("default", answer)
        settings = {
            "OPENAI_API_KEY": "sk-loopback",
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_BASE": model.base_url,
            "CREWDECK_PROJECTS": str(project),
        }
        async with Server.start(settings) as server, Deployment.at(server.store_url, server.story) as people:

            async def result() -> str:
                return await people.result(await people.start("newsroom", subject="canals", year="2026"))

            async def announced() -> bool:
                return "newsroom" in await people.store.catalogue.crews()

            async def composes() -> bool:
                return "Compose a piece on canals" in await result()

            async def told() -> bool:
                return bool(await people.store.catalogue.problems())

            async def corrected() -> bool:
                return not await people.store.catalogue.problems()

            await until(announced, server.story)
            assert "Write a piece on canals" in await result()
            edit(source / "config" / "tasks.yaml", "Write a piece", "Compose a piece")
            await until(composes, server.story)

            edit(source / "crew.py", "class Newsroom:", "class Newsroom(:")
            await until(told, server.story)
            [problem] = await people.store.catalogue.problems()
            assert problem.name == "newsroom"
            assert f"{source / 'crew.py'}:" in problem.problem
            assert "runs use the version of" in problem.remedy
            assert await composes()

            edit(source / "crew.py", "class Newsroom(:", "class Newsroom:")
            edit(source / "config" / "tasks.yaml", "Compose a piece", "Draft a piece")
            await until(corrected, server.story)
            assert "Draft a piece on canals" in await result()
