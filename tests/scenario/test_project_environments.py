"""A project in its own environment, projects that can't be run, and one that CrewAI's generator made."""

import asyncio
import itertools
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from bot.core.runs.crew import CrewProblem
from tests.contract.crews.deployment import Deployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say
from tests.scenario.server import Server, environment
from tests.waiting import WITHIN

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
OWN = '''
import os
import sys

from crewai import Agent, Crew, Task
from crewai.tools import tool


@tool
def place() -> str:
    """Says where this runs."""
    return f"{sys.prefix} {os.environ['VIRTUAL_ENV']} {os.getcwd()} {os.environ.get('SLACK_SIGNING_SECRET')}"


def crew() -> Crew:
    agent = Agent(role="Guide", goal="Say where we are", backstory="You have a map.", tools=[place])
    task = Task(description="Where are we?", expected_output="A place", agent=agent)
    return Crew(agents=[agent], tasks=[task])
'''
BROKEN = "import not_installed_anywhere\nfrom crewai import Crew\ncrew = Crew()\n"


class EnvironmentDeployment(Deployment):
    """One server with projects that differ in where they run."""

    server: Server
    folder: Path
    python: str

    async def problem(self, name: str) -> CrewProblem:
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                found = {each.name: each for each in await self.store.catalogue.problems()}
                if name in found:
                    return found[name]
                await asyncio.sleep(0.2)
        raise AssertionError

    async def offered(self, name: str) -> None:
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                if name in await self.store.catalogue.crews():
                    return
                await asyncio.sleep(0.2)

    async def crewdeck(
        self, line: str, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as it is shown to people."""
        program, *arguments = shlex.split(line)
        assert program == "crewdeck"
        return await asyncio.to_thread(
            subprocess.run,
            [self.python, "-m", "bot", *arguments],
            cwd=self.folder,
            env=environment(self.folder) | {"PYTHONPATH": "", **(more or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * WITHIN,  # `add` makes an environment
        )


def answer(conversation: Conversation) -> Turn:
    offered = [each["function"]["name"] for each in conversation.body.get("tools") or ()]
    if "place" in offered and not conversation.results:
        return call("place")
    return say(f"We are here: {conversation.results[-1] if conversation.results else 'nowhere'}")


def make_environment(project: Path) -> Path:
    """An environment without Crewdeck. It finds the libraries of ours, as after a long download."""
    made = project / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    [libraries] = made.glob("lib/python3*/site-packages")
    [ours] = Path(sys.prefix).glob("lib/python3*/site-packages")
    (libraries / "downloaded.pth").write_text(f"{ours}\n")
    return made


def generate(folder: Path) -> None:
    """A project by CrewAI's own generator, with the model's address in its `.env`."""
    done = subprocess.run(
        [Path(sys.prefix) / "bin" / "crewai", "create", "crew", "generated", "--classic", "--skip-provider"],
        cwd=folder,
        env=environment(folder) | {"CREWAI_DISABLE_TELEMETRY": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )
    if not (folder / "generated" / "src" / "generated" / "crew.py").exists():
        pytest.skip(f"CrewAI's generator doesn't work here: {done.stderr[-200:]}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory, python: str) -> AsyncIterator[EnvironmentDeployment]:
    folder = tmp_path_factory.mktemp("environments")
    for name, text in {"own": OWN, "broken": BROKEN, "gone": OWN}.items():
        (folder / name).mkdir()
        (folder / name / "guide.py").write_text(text)
    await asyncio.to_thread(make_environment, folder / "own")
    (folder / "gone" / ".venv").mkdir()
    await asyncio.to_thread(generate, folder)
    async with LoopbackModel() as model:
        model.script("default", answer)
        settings = {
            "PYTHONPATH": "",
            "OPENAI_API_KEY": "sk-loopback",
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_BASE": model.base_url,
            "SLACK_SIGNING_SECRET": "",
            "CREWDECK_PROJECTS": ",".join(
                str(folder / each) for each in ("own", "broken", "gone", "generated")
            ),
        }
        async with (
            Server.start(settings) as server,
            EnvironmentDeployment.at(server.store_url, server.story) as deployment,
        ):
            deployment.server, deployment.folder, deployment.python = server, folder, python
            yield deployment


async def test_a_project_that_crewai_generated_runs_as_it_is(on: EnvironmentDeployment) -> None:
    await on.offered("generated")
    card = (await on.store.catalogue.crews())["generated"]
    assert {each.name for each in card.inputs} == {"topic", "current_year"}
    assert "We are here" in await on.result(await on.start("generated", topic="moss", current_year="2026"))


async def test_what_can_not_run_is_said_in_a_line_and_stops_no_other(on: EnvironmentDeployment) -> None:
    broken, gone, own = [await on.problem(name) for name in ("broken", "gone", "own")]
    assert f"{on.folder}/broken/guide.py:1: it can't be loaded: ModuleNotFoundError" in broken.problem
    assert f"{on.folder}/gone/.venv: its Python can't be run" in gone.problem
    assert own.problem == f"{on.folder}/own/.venv: Crewdeck is not installed in the project's environment"
    logged = [each for each in on.server.log if each["message"] == "A project can't be run"]
    assert sorted(each["project"] for each in logged) == ["gone", "own"], (
        "each once, however often it is tried"
    )
    [line] = [each for each in on.server.log if each["message"] == "A crew of the project can't be offered"]
    assert (line["crew"], line["problem"]) == ("broken", broken.sentence)
    status, body = await asyncio.to_thread(on.server.get, "/crews")
    assert status == 200
    assert {each["name"] for each in body["problems"]} == {"broken", "gone", "own"}
    assert "demo" in {each["name"] for each in body["crews"]}


async def test_doctor_and_the_list_of_crews_say_the_same(on: EnvironmentDeployment) -> None:
    named = {"CREWDECK_PROJECTS": f"{on.folder}/broken,{on.folder}/gone", "OPENAI_API_KEY": "sk-loopback"}
    listed = await on.crewdeck("crewdeck crews", named)
    assert listed.returncode == 0
    assert "demo" in listed.stdout
    for name in ("broken", "gone"):
        problem = (await on.problem(name)).problem
        assert f"crewdeck: {name}: {problem}" in listed.stderr
    examined = await on.crewdeck("crewdeck doctor", named)
    assert examined.returncode == 1
    lines = [line for line in examined.stdout.splitlines() if line.startswith("BROKEN")]
    assert [line.partition(": ")[0] for line in lines] == ["BROKEN  Crew broken", "BROKEN  Crew gone"]
    assert "guide.py:1: it can't be loaded: ModuleNotFoundError" in lines[0]


async def test_the_command_that_is_named_makes_it_run_in_its_own_environment(
    on: EnvironmentDeployment,
) -> None:
    remedy = (await on.problem("own")).remedy.partition(": ")[2]
    assert remedy == f"crewdeck add {on.folder}/own"
    done = await on.crewdeck(f"{remedy} --no-index")
    assert done.returncode == 0, done.stderr
    await on.offered("own")
    home = on.folder / "own"
    result = await on.result(await on.start("own"))
    assert result == f"We are here: {home}/.venv {home}/.venv {home} None"
    assert "own" not in {each.name for each in await on.store.catalogue.problems()}
    again = await on.crewdeck(remedy)
    assert "has all that a worker needs" in again.stdout


async def test_a_project_that_is_not_there_is_the_operators_mistake(on: EnvironmentDeployment) -> None:
    for line in (f"crewdeck serve {on.folder}/nothing", f"crewdeck worker {on.folder}/nothing"):
        done = await on.crewdeck(line)
        assert done.returncode == 2
        assert done.stderr.startswith(f"crewdeck: argument {on.folder}/nothing: there is no ")
        assert "Traceback" not in done.stderr
    done = await on.crewdeck(f"crewdeck worker {on.folder}/gone")
    assert done.returncode == 2
    assert "its Python can't be run" in done.stderr
