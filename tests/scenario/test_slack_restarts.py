"""Slack's surface through restarts: nothing that people did meanwhile is lost, and nothing is done twice.

The worker is a process of its own that outlives the web process, as on several machines.
"""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.loopback.slack import LoopbackSlack
from tests.scenario.server import Server
from tests.scenario.stage import CREWS, Scene, Stage, Transport, connect, serving, slack_settings

TRANSPORTS: tuple[Transport, ...] = ("http", "socket")


@pytest.fixture
async def slack() -> AsyncIterator[LoopbackSlack]:
    async with LoopbackSlack() as running:
        yield running


@pytest.fixture
def web(redis_url: str) -> dict[str, str]:
    """The settings of a web process without workers."""
    return {"CREWDECK_REDIS_URL": redis_url, "CREWDECK_WORKERS": "0"}


@pytest.fixture
def worker(data_dir: Path, redis_url: str) -> Iterator[Server]:
    process = Server(data_dir, {"CREWDECK_REDIS_URL": redis_url, "CREWDECK_CONFIG_DIR": str(CREWS)}, "worker")
    try:
        yield process
        process.stop()
    finally:
        process.sweep()


async def scene_of(slack: LoopbackSlack, server: Server, transport: Transport = "http") -> Scene:
    if transport == "socket":
        await slack.wait_for(lambda: slack.sockets.open, 30)
    return Stage(slack, server, transport).scene()


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_replies_that_were_written_meanwhile_are_answers(
    slack: LoopbackSlack, web: dict[str, str], transport: Transport
) -> None:
    async with serving(slack, transport, web) as server:
        server.wait_for(lambda: server.get("/ready")[1]["worker"], 30)
        scene = await scene_of(slack, server, transport)
        settled = await scene.asked("tell lighthouses")
        await scene.ada.reply(scene.channel, settled.thread_ts or "", "tall")
        await scene.said("The crew heard", settled)
        question = await scene.asked("tell tides")
    assert question.thread_ts
    await scene.ada.reply(scene.channel, question.thread_ts, f"<@{scene.bob.id}> look")
    missed = await scene.ada.reply(scene.channel, question.thread_ts, "blue")
    assert not missed.ok
    async with serving(slack, transport, web) as server:
        assert "answered: blue" in await scene.said("The crew heard", question, 30)
        assert [call.arguments["ts"] for call in slack.called("conversations.replies")] == [
            question.thread_ts
        ]
        # Slack delivers it once more, now that there is somebody.
        await scene_of(slack, server, transport)
        assert (await scene.ada.redeliver(missed)).ok
        assert scene.thread(question).count("The crew heard") == 1


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_was_done_before_a_crash_is_not_done_again(
    slack: LoopbackSlack, web: dict[str, str], transport: Transport
) -> None:
    async with serving(slack, transport, web) as server:
        server.wait_for(lambda: server.get("/ready")[1]["worker"], 30)
        scene = await scene_of(slack, server, transport)
        question = await scene.asked("vote tides")
        command = await scene.crew("start tell lighthouses")
        later = await scene.until(
            lambda: next(m for m in slack.messages(scene.channel) if "lighthouses?" in m.words), 30
        )
        pressed = await scene.ada.press(question, "Approve")
        await scene.said("The crew heard", question)
    async with serving(slack, transport, web) as server:
        await scene_of(slack, server, transport)
        assert (await scene.ada.redeliver(command)).ok
        assert (await scene.ada.redeliver(pressed)).ok
        assert (await scene.crew("status")).ok
        assert len(scene.runs()) == 2
        assert scene.open_questions(later)
        assert not [m for m in scene.private(scene.ada) if "settled" in m.words]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_slack_being_away_stops_no_start(
    slack: LoopbackSlack, data_dir: Path, web: dict[str, str], transport: Transport
) -> None:
    await slack.go_down()
    server = Server(data_dir, slack_settings(slack, transport) | web)
    try:
        server.wait_for(lambda: "http://" in server.output, 30)
        assert server.get("/health")[0] == 200
        await slack.come_up()
        await slack.wait_for(lambda: slack.called("auth.test"), 30)
        connect(slack, server, transport)
        scene = await scene_of(slack, server, transport)
        assert (await scene.crew("help")).ok
        server.stop()
    finally:
        server.sweep()


@pytest.mark.parametrize("event", ["tokens_revoked", "app_uninstalled"])
async def test_a_workspace_is_paused_until_its_token_works_again(
    slack: LoopbackSlack, web: dict[str, str], event: str
) -> None:
    async with serving(slack, "http", web) as server:
        scene = await scene_of(slack, server)
        await scene.crew("status")
        told = await (slack.revoke_tokens() if event == "tokens_revoked" else slack.uninstall())
        assert told.ok
        assert "Paused" in (await scene.crew("status")).private[0].words
    slack.workspace.revoked = False
    async with serving(slack, "http", web):
        await slack.wait_for(lambda: len(slack.called("auth.test")) > 1)
        assert "Paused" not in (await scene.crew("status")).private[0].words


async def test_the_token_of_a_single_person_is_not_ours(slack: LoopbackSlack, web: dict[str, str]) -> None:
    async with serving(slack, "http", web) as server:
        scene = await scene_of(slack, server)
        event = {"type": "tokens_revoked", "tokens": {"oauth": [scene.ada.id], "bot": []}}
        team = slack.workspace.team_id
        payload = {"type": "event_callback", "team_id": team, "event_id": "Ev1", "event": event}
        body = json.dumps(payload).encode()
        told = await slack.send_raw(body, slack.sign(body) | {"Content-Type": "application/json"})
        assert told.status == 200
        assert "Paused" not in (await scene.crew("status")).private[0].words
