"""The whole job without Slack: a real server, its worker, the demo crew, and programs that answer."""

import asyncio
import os
import subprocess
from functools import partial

import httpx
from httpx_sse import aconnect_sse

from tests.scenario.server import ExecutedWebServer, Server
from tests.waiting import WITHIN, eventually

START = {"crew": "demo", "inputs": {"topic": "tide mills", "pace": 0}}


async def test_a_run_is_started_followed_and_answered() -> None:
    async with (
        ExecutedWebServer.start() as server,
        httpx.AsyncClient(base_url=server.url, timeout=WITHIN) as client,
    ):
        started = await client.post("/crew/start", json=START, headers={"Idempotency-Key": "one"})
        assert started.status_code == 202, started.text
        run_id = started.json()["run_id"]
        names = []
        async with aconnect_sse(client, "GET", f"/{run_id}/stream") as source:
            async for event in source.aiter_sse():
                names.append(event.event)
                if event.event == "PROMPT":
                    [waiting] = (await client.get("/questions?state=open")).json()["questions"]
                    assert waiting["question_id"] == event.json()["question_id"]
                    answered = await client.post(f"/{run_id}/input", json={"response": "Approve"})
                    assert answered.status_code == 200, answered.text
        assert (names[0], names[-1]) == ("run_started", "END")
        assert {"task_started", "PROMPT", "human_input_completed", "task_completed"} <= set(names)
        run = (await client.get(f"/runs/{run_id}")).json()
        assert run["status"] == "completed"
        assert run["result"]
        assert [question["outcome"]["action"] for question in run["questions"]] == ["approve"]


def keys(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    command = [Server.python(), "-m", "bot", "keys", *words]
    return subprocess.run(
        command,
        cwd=server.folder,
        env=os.environ | server.env,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


async def test_keys_are_made_and_revoked_while_it_runs_and_never_logged() -> None:
    async with Server.start(env={"CREWDECK_WORKERS": "0"}, wait="announced") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=WITHIN) as client:
            assert (await client.get("/runs")).status_code == 200
            made = await asyncio.to_thread(keys, server, "add", "ci", "--scope", "read")
            assert made.returncode == 0, made.stderr
            secret = made.stdout.strip()
            headers = {"Authorization": f"Bearer {secret}"}
            await eventually(partial(_answers, client, {}, 401))
            assert (await client.get("/health")).status_code == 200
            assert (await client.get("/runs", headers=headers)).status_code == 200
            assert (await client.post("/crew/start", json=START, headers=headers)).status_code == 403
            assert (await client.get(f"/ws/human-input?token={secret}x")).status_code == 401
            listed = (await asyncio.to_thread(keys, server, "list")).stdout
            assert listed.startswith("ci\tread\tmade ")
            assert secret not in listed
            assert (await asyncio.to_thread(keys, server, "revoke", "ci")).returncode == 0
            await eventually(partial(_answers, client, headers, 401))
        assert secret not in server.output
        assert secret not in str(server.log)


async def _answers(client: httpx.AsyncClient, headers: dict[str, str], status: int) -> bool:
    return (await client.get("/runs", headers=headers)).status_code == status


async def test_listening_everywhere_without_keys_it_says_what_to_set() -> None:
    async with Server.start(
        env={"CREWDECK_WORKERS": "0", "HOST": "0.0.0.0"},  # noqa: S104
        wait="announced",
    ) as server:
        assert "crewdeck keys add" in server.output
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as stranger:
            refused = await stranger.get("/runs")
            assert (refused.status_code, refused.json()["code"]) == (403, "keys_required")
        assert (await asyncio.to_thread(server.get, "/runs"))[0] == 200  # its user's token goes with it
        assert (await asyncio.to_thread(server.get, "/health"))[0] == 200
