"""What a crew's tools find in their worker: nothing that is the surfaces' own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.store.embedded import Embedded
from tests.contract.crews.deployment import Deployment
from tests.scenario.server import ExecutedServer, environment
from tests.waiting import WITHIN

KEY = "admin-key-0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + "bmV3" * 8
JOURNAL_KEY = "//////////////////////////////////////////8="

OURS = {
    "SLACK_SIGNING_SECRET": "signing-secret-of-slack",
    "SLACK_BOT_TOKEN": "xoxb-token-of-the-bot",
    "CREWDECK_API_KEYS": f"ops:{KEY}",
    "CREWDECK_API_KEY": "key-of-the-terminal-0123456789abcdef",
    "CREWDECK_WEBHOOK_SECRET": SECRET,
    "CREWDECK_JOURNAL_KEY": JOURNAL_KEY,
    "TEAMS_APP_PASSWORD": "password-of-teams",
}
IN_DOTENV = {
    "SLACK_APP_TOKEN": "xapp-in-dotenv",
    "TEAMS_APP_ID": "0000a990-0000-4000-8000-00000d07e0f0",
    "OPENAI_API_KEY": "key-in-dotenv",
}
PROVIDER = {"ANTHROPIC_API_KEY": "key-of-the-provider"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where Crewdeck is started: a `.env`, and a crew with a curious tool."""
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in IN_DOTENV.items()))
    crew = tmp_path / "mine" / "spy"
    crew.mkdir(parents=True)
    (crew / "crew.yaml").write_text(
        "title: Spy\nmodel: scripted\ntools: {surroundings: {use: 'tests.contract.crews.spy:Surroundings'}}\n"
    )
    (crew / "agents.yaml").write_text("spy: {role: Spy, goal: Look, backstory: b, tools: [surroundings]}\n")
    (crew / "tasks.yaml").write_text("look: {description: Look, expected_output: All, agent: spy}\n")
    (crew / "script.yaml").write_text("look:\n- call: {surroundings: {}}\n- say: '{surroundings}'\n")
    return tmp_path


async def found(url: str) -> str:
    """What the spy's tool finds."""
    async with Deployment.at(url) as deployment:
        return await deployment.result(await deployment.start("spy"))


def check(seen: str, store_url: str) -> None:
    for name, value in (OURS | IN_DOTENV).items():
        if name != "OPENAI_API_KEY":
            assert value not in seen, name
            assert f"'{name}'" not in seen, name
    assert store_url not in seen
    assert IN_DOTENV["OPENAI_API_KEY"] in seen
    assert PROVIDER["ANTHROPIC_API_KEY"] in seen


@pytest.fixture
def store(folder: Path) -> Iterator[Embedded]:
    embedded = Embedded.attach(folder / "elsewhere")
    yield embedded
    embedded.detach()


@pytest.fixture(params=["bot", "crews"])
def worker(folder: Path, store: Embedded, request: pytest.FixtureRequest) -> Iterator[Embedded]:
    """A worker that nobody supervises, and its store."""
    env = environment(folder) | OURS | PROVIDER
    env |= {"CREWDECK_CONFIG_DIR": "mine", "CREWDECK_REDIS_URL": store.url}
    command = [sys.executable, "-m", request.param, "worker"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stderr=log)
    yield store
    process.terminate()
    process.wait(WITHIN)


async def test_neither_does_a_worker_of_its_own(worker: Embedded) -> None:
    check(await found(worker.url), worker.url)


# ── the folder that it is started in ────────────────────────────────────────────────────────────────────────

SHADOWS = (
    "bot.py",
    "crews/__init__.py",
    "config/__init__.py",
    "redis.py",
    "typing.py",
    "json.py",
    "yaml.py",
    "crewai.py",
)
CREWDECK = Path(sys.executable).with_name("crewdeck")


@pytest.fixture
def shadowed(folder: Path) -> Path:
    """A folder whose modules are called like ours and others."""
    for name in SHADOWS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"raise SystemExit('{name} of the folder was imported')\n")
    return folder


def test_modules_in_the_folder_stand_in_for_none(shadowed: Path) -> None:
    for command in ("crews", "doctor"):
        done = subprocess.run(
            [CREWDECK, command],
            cwd=shadowed,
            env=environment(shadowed),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN * 2,
        )
        assert "of the folder was imported" not in done.stdout + done.stderr
        assert "demo" in done.stdout
        assert done.returncode == 0 or command == "doctor"


class InstalledServer(ExecutedServer):
    """A server that is started with the command that people install, which imports nothing of its folder."""

    program = (str(CREWDECK),)


async def test_serve_comes_up_there_and_its_workers_hold_no_secret_of_a_surface(shadowed: Path) -> None:
    env = OURS | PROVIDER | {"CREWDECK_CONFIG_DIR": "mine", "SLACK_API_URL": "http://127.0.0.1:9/api/"}
    async with InstalledServer.start(env=env, folder=shadowed, wait="announced") as server:
        check(await found(server.store_url), server.store_url)
    assert "of the folder was imported" not in server.output + server.errors
