"""`crewdeck doctor` and `crewdeck crews` with real services: what an operator reads, and the exit status.

The commands are forked; in `test_worker_secrets.py` they are executed as people do it.
"""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.loopback.slack import LoopbackSlack
from tests.scenario.server import environment
from tests.waiting import WITHIN

PROJECT = """
from crewai import Agent, Crew, Task

def writing() -> Crew:
    writer = Agent(role="Writer", goal="Write", backstory="You write.", {more})
    return Crew(agents=[writer], tasks=[Task(description="x", expected_output="y", agent=writer)])
"""


async def run(python: str, folder: Path, command: str, **extra: str) -> tuple[int, list[str]]:
    """The exit status of a command, and the lines it printed."""
    done = await asyncio.to_thread(
        subprocess.run,
        [python, "-m", "bot", command],
        cwd=folder,
        env=environment(folder) | extra,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN * 2,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout.splitlines()


def line(lines: list[str], *words: str) -> str:
    """The one line that holds all these words."""
    [found] = [each for each in lines if all(word in each for word in words)]
    return found


async def test_a_machine_with_nothing_but_a_model_key_is_well(python: str, data_dir: Path) -> None:
    key = {"OPENAI_API_KEY": "sk-not-a-real-key", "CREWDECK_MODEL": "openai/gpt-5.4-mini"}
    status, lines = await run(python, data_dir, "doctor", **key)
    assert status == 0, lines
    assert line(lines, "Settings").startswith("ok")
    assert line(lines, "Redis", "Valkey").startswith("ok")
    assert line(lines, "Redis", "append-only, fsync always").startswith("ok")
    assert line(lines, "Slack: off", "SLACK_BOT_TOKEN").startswith("off")
    assert line(lines, "Webhooks").startswith("off")
    assert line(lines, "CrewAI", "with which Crewdeck is tested").startswith("ok")
    assert line(lines, "Crew demo").startswith("ok")
    assert not any("\033" in each for each in lines)


async def test_a_fresh_installation_is_well_and_says_what_crews_need_a_model(
    python: str, data_dir: Path
) -> None:
    status, lines = await run(python, data_dir, "doctor")
    assert status == 0, lines
    assert lines[-1] == "All is well."
    assert line(lines, "Crew demo").startswith("ok")
    for crew in ("research", "announcement"):
        assert "CREWDECK_MODEL" in line(lines, f"Crew {crew}")
        assert line(lines, f"Crew {crew}").startswith("off")


async def test_a_model_without_its_key_is_a_fault_and_so_is_a_crew_that_can_not_be_read(
    python: str,
    data_dir: Path,
) -> None:
    waves = data_dir / "crews" / "waves"
    waves.mkdir(parents=True)
    (waves / "crew.yaml").write_text("title: !ENV X\n")
    keyless, timed = data_dir / "keyless", data_dir / "timed"
    for project, more in ((keyless, "llm='openai/gpt-5.4-mini'"), (timed, "max_execution_time=5")):
        project.mkdir()
        (project / "crew.py").write_text(PROJECT.format(more=more))
    extra = {
        "CREWDECK_MODEL": "openai/gpt-5.4-mini",
        "CREWDECK_CONFIG_DIR": str(waves.parent),
        "CREWDECK_PROJECTS": f"{keyless},{timed}",
    }
    status, lines = await run(python, data_dir, "doctor", **extra)
    assert status == 1
    assert "OPENAI_API_KEY" in line(lines, "BROKEN", "Crew research")
    assert "crew.yaml:1:8: has the tag !ENV" in line(lines, "BROKEN", "Crew waves", "crew.yaml")
    assert "'Writer' needs its key -> Set OPENAI_API_KEY" in line(lines, "BROKEN", "Crew keyless")
    assert "`max_execution_time` isn't applied" in line(lines, "warn", "Crew timed")


async def test_a_good_slack_app_is_well(python: str, data_dir: Path, redis_url: str) -> None:
    async with LoopbackSlack() as slack:
        status, lines = await run(
            python, data_dir, "doctor", **slack_settings(slack), CREWDECK_REDIS_URL=redis_url
        )
    assert line(lines, "Slack", "token of @crewdeck").startswith("ok")
    assert line(lines, "Slack", "every scope").startswith("ok")
    assert line(lines, "Slack", "Socket Mode connects").startswith("ok")
    assert slack.bot_token not in "".join(lines)
    assert status in {0, 1}  # crews that need a model's key are another test's


async def test_a_broken_slack_app_gets_its_remedies(python: str, data_dir: Path, redis_url: str) -> None:
    async with LoopbackSlack() as slack:
        slack.workspace.scopes.discard("files:write")
        slack.fail("apps.connections.open", error="invalid_auth", times=None)
        status, lines = await run(
            python, data_dir, "doctor", **slack_settings(slack), CREWDECK_REDIS_URL=redis_url
        )
    assert status == 1
    assert "manifest.yml" in line(lines, "BROKEN", "files:write")
    assert "connections:write" in line(lines, "BROKEN", "SLACK_APP_TOKEN", "invalid_auth")


async def test_a_wrong_token_is_named(python: str, data_dir: Path, redis_url: str) -> None:
    async with LoopbackSlack() as slack:
        wrong = slack_settings(slack) | {"SLACK_BOT_TOKEN": "xoxb-of-nobody"}
        status, lines = await run(python, data_dir, "doctor", **wrong, CREWDECK_REDIS_URL=redis_url)
    assert status == 1
    assert "xoxb-..." in line(lines, "BROKEN", "SLACK_BOT_TOKEN", "invalid_auth")
    assert "xoxb-of-nobody" not in "".join(lines)


async def test_several_faults_at_once_are_all_named(python: str, data_dir: Path, redis_url: str) -> None:
    """Half of Slack's settings, a Redis that forgets, and webhooks with a risk."""
    secret, old = "whsec_" + "bmV3" * 8, "whsec_" + "b2xk" * 8
    settings = {
        "CREWDECK_REDIS_URL": redis_url,
        "SLACK_BOT_TOKEN": "xoxb-1",
        "CREWDECK_WEBHOOKS": (
            f"crm=https://crm.example/p4th {secret} {old} "
            f"ops=https://ops.example/hooks {secret} events=run_failed,run_cancelled"
        ),
        "CREWDECK_WEBHOOK_URLS": "1",
        "CREWDECK_WEBHOOK_ALLOW_PRIVATE": "1",
        "CREWDECK_WEBHOOK_SECRET": secret,
        "TEAMS_APP_ID": "01234567-89ab-cdef-0123-456789abcdef",
    }
    with forgetful(redis_url):
        status, lines = await run(python, data_dir, "doctor", **settings)
    assert status == 1
    assert "SLACK_APP_TOKEN" in line(lines, "BROKEN", "Slack")
    assert "TEAMS_TENANT_ID" in line(lines, "BROKEN", "Teams")
    assert "appendonly yes" in line(lines, "BROKEN", "appendonly is no")
    assert "noeviction" in line(lines, "BROKEN", "allkeys-lru")
    assert "Take the old one out" in line(lines, "ok", "Webhooks to crm", "all events, to crm.example")
    assert line(lines, "Webhooks to ops").endswith("run_failed, run_cancelled, to ops.example")
    assert line(lines, "Webhooks", "starts may name").startswith("ok")
    assert "can make this server talk" in line(lines, "warn", "Webhooks", "private networks")
    for hidden in (secret, old, "p4th", "/hooks"):
        assert hidden not in "".join(lines)


@contextmanager
def forgetful(redis_url: str) -> Iterator[None]:
    """The server forgets what it is told while the block runs."""
    with redis.Redis.from_url(redis_url) as server:
        server.config_set("appendonly", "no")
        server.config_set("maxmemory", "100mb")
        server.config_set("maxmemory-policy", "allkeys-lru")
        try:
            yield
        finally:
            server.config_set("maxmemory-policy", "noeviction")
            server.config_set("maxmemory", "0")
            server.config_set("appendonly", "yes")


async def test_a_redis_that_is_away_is_a_fault(python: str, data_dir: Path) -> None:
    status, lines = await run(
        python, data_dir, "doctor", CREWDECK_REDIS_URL="redis://ada:lovelace@127.0.0.1:1"
    )
    assert status == 1
    assert "CREWDECK_REDIS_URL" in line(lines, "BROKEN", "Redis")
    assert "lovelace" not in "".join(lines)


async def test_a_wrong_setting_is_a_fault(python: str, data_dir: Path) -> None:
    status, lines = await run(python, data_dir, "doctor", PORT="http")
    assert status == 1
    assert lines == [line(lines, "BROKEN", "PORT")]


async def test_the_catalogue_is_a_table(python: str, data_dir: Path) -> None:
    status, lines = await run(python, data_dir, "crews")
    assert status == 0
    assert lines[0].split() == ["NAME", "INPUTS", "WHAT", "IT", "DOES"]
    assert "topic=<string>" in line(lines, "demo ")


def slack_settings(slack: LoopbackSlack) -> dict[str, str]:
    return {
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
    }
