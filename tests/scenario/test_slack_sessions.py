"""Sessions of people who came from Slack: they end when these are no longer who they were, or by command.

The server has an API key: without one, whoever sits at its machine may do everything without a session.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
import pytest_asyncio

from tests.scenario.server import Server
from tests.scenario.slack_deployment import ChannelDeployment, SlackDeployment, grow_old, slack_deployed
from tests.scenario.test_console_slack import browser, link
from tests.waiting import WITHIN

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["http", "socket"])
async def keyed(request: pytest.FixtureRequest) -> AsyncIterator[SlackDeployment]:
    async with slack_deployed(request.param) as connected:
        await connected.warm_up()
        made = await asyncio.to_thread(command, connected.server, "keys", "add", "ops")
        assert made.returncode == 0, made.stderr
        yield connected


@pytest.fixture
def deployment(keyed: SlackDeployment) -> Iterator[ChannelDeployment]:
    yield keyed.in_a_channel()
    keyed.slack.heal()


@pytest.mark.parametrize(
    "change", [{"deleted": True}, {"is_restricted": True}, {"is_ultra_restricted": True}]
)
async def test_a_session_ends_when_its_person_is_no_longer_who_they_were(
    deployment: ChannelDeployment, change: dict[str, bool]
) -> None:
    where = await link(deployment)
    async with browser(deployment) as ada, ada_listens(ada, where) as stream:
        start = {"crew": "ask", "inputs": {"topic": "kites"}}
        assert (await ada.post("/crew/start", json=start)).status_code == 202
        await deployment.slack.change(deployment.ada, **change)
        assert (await ada.post("/crew/start", json=start)).status_code == 401
        assert (await ada.get("/me")).status_code == 401
        async with asyncio.timeout(WITHIN):
            async for _ in stream.aiter_lines():
                pass


async def test_a_session_is_looked_at_again_within_minutes(deployment: ChannelDeployment) -> None:
    where = await link(deployment)
    async with browser(deployment) as ada:
        assert (await ada.post(where)).status_code == 303
        assert (await ada.get("/me")).status_code == 200
        await deployment.slack.change(deployment.ada, heard=False, deleted=True)
        await grow_old(deployment, deployment.ada)
        assert (await ada.get("/me")).status_code == 401


async def test_while_slack_cannot_be_asked_a_session_may_nothing(deployment: ChannelDeployment) -> None:
    where = await link(deployment)
    async with browser(deployment) as ada:
        assert (await ada.post(where)).status_code == 303
        await grow_old(deployment, deployment.ada)
        deployment.slack.fail("users.info", error="missing_scope", times=None)
        refused = await ada.get("/me")
        assert (refused.status_code, refused.json()["code"]) == (503, "unrecognised")
        deployment.slack.heal()
        assert (await ada.get("/me")).status_code == 200


async def test_an_operator_lists_and_ends_sessions(deployment: ChannelDeployment) -> None:
    async with browser(deployment) as ada, browser(deployment) as bob:
        assert (await ada.post(await link(deployment))).status_code == 303
        assert (await bob.post(await link(deployment, deployment.bob))).status_code == 303
        listed = await asyncio.to_thread(sessions, deployment)
        assert listed.returncode == 0
        assert {deployment.ada.id, deployment.bob.id} <= set(listed.stdout.split())
        assert listed.stdout.startswith("SESSION")
        ambiguous = await asyncio.to_thread(sessions, deployment, "end", "nobody")
        assert (ambiguous.returncode, "nobody is signed in so" in ambiguous.stderr) == (1, True)
        bare = await asyncio.to_thread(sessions, deployment, "end")
        assert (bare.returncode, "--all" in bare.stderr) == (2, True)
        ended = await asyncio.to_thread(sessions, deployment, "end", deployment.ada.id)
        assert (ended.returncode, "1 session ended" in ended.stderr) == (0, True)
        assert (await ada.get("/me")).status_code == 401
        assert (await bob.get("/me")).status_code == 200


def sessions(deployment: ChannelDeployment, *words: str) -> subprocess.CompletedProcess[str]:
    return command(deployment.server, "sessions", *words)


def command(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    """What an operator types, in the server's folder."""
    return subprocess.run(
        [Server.python(), "-m", "bot", *words],
        cwd=server.folder,
        env=os.environ | server.env | {"CREWDECK_REDIS_URL": server.store_url},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


@asynccontextmanager
async def ada_listens(ada: httpx.AsyncClient, where: str) -> AsyncIterator[httpx.Response]:
    """Ada's browser, signed in and with a stream open."""
    assert (await ada.post(where)).status_code == 303
    async with ada.stream("GET", "/events/human-input", timeout=WITHIN) as stream:
        assert stream.status_code == 200, await stream.aread()
        yield stream
