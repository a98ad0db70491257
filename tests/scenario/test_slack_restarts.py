"""Slack's surface through restarts: nothing that people did meanwhile is lost, and nothing is done twice."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.loopback.slack import LoopbackSlack, Message
from tests.scenario.server import Server
from tests.scenario.stage import Scene, Stage, Transport, connect, serving, slack_settings

TRANSPORTS: tuple[Transport, ...] = ("http", "socket")


@pytest.fixture
async def slack() -> AsyncIterator[LoopbackSlack]:
    async with LoopbackSlack() as running:
        yield running


def scene_of(slack: LoopbackSlack, server: Server) -> Scene:
    return Stage(slack, server, "http").scene()


async def asked(scene: Scene, words: str) -> Message:
    question = await scene.asked(words)
    # Shown is not yet recorded: one more round trip, for these tests are about replies.
    await scene.crew("help")
    return question


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_replies_that_were_written_meanwhile_are_answers(
    slack: LoopbackSlack, data_dir: Path, transport: Transport
) -> None:
    async with serving(slack, transport, folder=data_dir) as server:
        scene = scene_of(slack, server)
        question = await asked(scene, "tell tides")
        settled = await asked(scene, "tell lighthouses")
        await scene.ada.reply(scene.channel, settled.thread_ts or "", "tall")
        await scene.said("The crew heard", settled)
    assert question.thread_ts
    missed = await scene.ada.reply(scene.channel, question.thread_ts, f"<@{scene.bob.id}> look")
    assert not missed.ok
    await scene.ada.reply(scene.channel, question.thread_ts, "blue")
    async with serving(slack, transport, folder=data_dir):
        assert "answered: blue" in await scene.said("The crew heard", question, 30)
        # Slack delivers it once more, now that there is somebody.
        await scene.ada.redeliver(missed)
        assert scene.thread(question).count("The crew heard") == 1
        read = [call.arguments["ts"] for call in slack.called("conversations.replies")]
        assert read == [question.thread_ts]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_was_done_before_a_crash_is_not_done_again(
    slack: LoopbackSlack, data_dir: Path, transport: Transport
) -> None:
    settings = slack_settings(slack, transport)
    async with Server.start(settings, data_dir) as server:
        connect(slack, server, transport)
        scene = scene_of(slack, server)
        question = await asked(scene, "vote tides")
        command = await scene.crew("start tell lighthouses")
        later = await scene.until(
            lambda: next(m for m in slack.messages(scene.channel) if "lighthouses?" in m.words)
        )
        pressed = await scene.ada.press(question, "Approve")
        await scene.said("The crew heard", question)
    async with serving(slack, transport, folder=data_dir):
        await scene.ada.redeliver(command)
        await scene.ada.redeliver(pressed)
        assert (await scene.crew("status")).ok
        assert len(scene.runs()) == 2
        assert scene.open_questions(later)
        assert not [m for m in scene.private(scene.ada) if "settled" in m.words]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_slack_being_away_stops_no_start(
    slack: LoopbackSlack, data_dir: Path, transport: Transport
) -> None:
    settings = slack_settings(slack, transport) | {"CREWDECK_WORKERS": "1"}
    await slack.go_down()
    server = Server(data_dir, settings)
    try:
        server.wait_for(lambda: "http://" in server.output, 30)
        assert server.get("/health")[0] == 200
        await slack.come_up()
        await slack.wait_for(lambda: slack.called("auth.test"), 30)
        server.wait_until_up()
        connect(slack, server, transport)
        if transport == "socket":
            await slack.wait_for(lambda: slack.sockets.open, 30)
        scene = scene_of(slack, server)
        assert (await scene.crew("list")).ok
        server.stop()
    finally:
        server.sweep()


@pytest.mark.parametrize("event", ["tokens_revoked", "app_uninstalled"])
async def test_a_workspace_is_paused_until_its_token_works_again(
    slack: LoopbackSlack, data_dir: Path, event: str
) -> None:
    async with serving(slack, "http", folder=data_dir) as server:
        scene = scene_of(slack, server)
        await asked(scene, "tell tides")
        told = await (slack.revoke_tokens() if event == "tokens_revoked" else slack.uninstall())
        assert told.ok
        assert "Paused" in (await scene.crew("status")).private[0].words
    slack.workspace.revoked = False
    async with serving(slack, "http", folder=data_dir):
        await slack.wait_for(lambda: slack.called("auth.test"))
        done = await scene.crew("status")
        assert "Paused" not in done.private[0].words


async def test_the_token_of_a_single_person_is_not_ours(slack: LoopbackSlack, data_dir: Path) -> None:
    async with serving(slack, "http", folder=data_dir) as server:
        scene = scene_of(slack, server)
        event = {"type": "tokens_revoked", "tokens": {"oauth": [scene.ada.id], "bot": []}}
        payload = {
            "type": "event_callback",
            "team_id": slack.workspace.team_id,
            "event_id": "Ev1",
            "event": event,
        }
        body = json.dumps(payload).encode()
        told = await slack.send_raw(body, slack.sign(body) | {"Content-Type": "application/json"})
        assert told.status == 200
        assert "Paused" not in (await scene.crew("status")).private[0].words
