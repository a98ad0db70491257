"""Slack's surface through restarts: nothing that people did meanwhile is lost, and nothing is done twice.

Real web processes; the tests play the worker, which outlives them as on several machines.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.core.ports.lists import RunFilter
from bot.core.questions.question import QuestionKind
from bot.surfaces.chat.message_keys import PROGRESS
from bot.surfaces.slack import SURFACE
from tests.loopback.slack import LoopbackSlack, Message
from tests.scenario.outbox import Outbox
from tests.scenario.server import Server
from tests.scenario.slack_deployment import (
    ChannelDeployment,
    SlackDeployment,
    Transport,
    connect,
    serving,
    slack_settings,
)
from tests.waiting import WITHIN, eventually

TRANSPORTS: tuple[Transport, ...] = ("http", "socket")


@pytest.fixture
async def slack() -> AsyncIterator[LoopbackSlack]:
    async with LoopbackSlack() as running:
        yield running


async def asked(
    on: Outbox, deployment: ChannelDeployment, prompt: str, kind: QuestionKind = QuestionKind.TEXT
) -> Message:
    """A question of a run that Ada started in the channel, as people see it."""
    run = await on.start(channel=deployment.channel, by=deployment.ada.id)
    await on.ask(await on.claimed(run), prompt, kind=kind)
    return await on.sees(lambda: on.said(prompt, deployment.channel))


async def threads_recorded(on: Outbox, many: int) -> None:
    """Return once the first messages of so many runs are recorded."""
    async with asyncio.timeout(WITHIN):
        while True:
            runs = await on.store.runs.list(RunFilter(limit=10))
            states = [await on.store.outbox.state(SURFACE, run.id) for run in runs]
            if sum(PROGRESS in state.messages for state in states) == many:
                return
            await asyncio.sleep(0.05)


async def deployment_of(
    slack: LoopbackSlack, server: Server, transport: Transport = "http"
) -> ChannelDeployment:
    if transport == "socket":
        await slack.wait_for(lambda: slack.sockets.open)
    return SlackDeployment(slack, server, transport).in_a_channel()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_replies_that_were_written_meanwhile_are_answers(
    on: Outbox, web: dict[str, str], transport: Transport
) -> None:
    async with serving(on.slack, transport, web) as server:
        deployment = await deployment_of(on.slack, server, transport)
        elsewhere = await asked(on, deployment, "Which lighthouses?")
        await deployment.ada.reply(deployment.channel, elsewhere.thread_ts or "", "tall")
        await deployment.said(">tall", elsewhere)
        question = await asked(on, deployment, "Which tides?")
    assert question.thread_ts
    await deployment.ada.reply(deployment.channel, question.thread_ts, f"<@{deployment.bob.id}> look")
    missed = await deployment.ada.reply(deployment.channel, question.thread_ts, "blue")
    assert not missed.ok
    async with serving(on.slack, transport, web) as server:
        await deployment.said(">blue", question)
        read = [call.arguments["ts"] for call in on.slack.called("conversations.replies")]
        assert read == [question.thread_ts]
        # Slack delivers it once more, now that there is somebody.
        await deployment_of(on.slack, server, transport)
        assert (await deployment.ada.redeliver(missed)).ok
        assert deployment.thread(question).count(">blue") == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_was_done_before_a_crash_is_not_done_again(
    on: Outbox, web: dict[str, str], transport: Transport
) -> None:
    async with serving(on.slack, transport, web) as server:
        deployment = await deployment_of(on.slack, server, transport)
        question = await asked(on, deployment, "May tides go on?", QuestionKind.APPROVAL)
        command = await deployment.crew("start demo lighthouses")
        pressed = await deployment.ada.press(question, "Approve")
        assert command.ok
        assert pressed.ok
        # Killed between posting a run's first message and recording it, a process may post it twice.
        await threads_recorded(on, 2)
        await asyncio.to_thread(server.kill)
    async with serving(on.slack, transport, web) as server:
        await deployment_of(on.slack, server, transport)
        assert (await deployment.ada.redeliver(command)).ok
        assert (await deployment.ada.redeliver(pressed)).ok
        await deployment.said("Approved", question)
        await on.slack.wait_for(lambda: len(deployment.runs()) == 2)
        assert (await deployment.crew("status")).ok
        assert len(deployment.runs()) == 2
        assert not [m for m in deployment.private(deployment.ada) if "settled" in m.words]


async def test_a_ghost_connection_is_warned_of(on: Outbox, web: dict[str, str]) -> None:
    on.slack.use_socket_mode()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(on.slack.sockets.new_url()),
        serving(on.slack, "socket", web) as server,
    ):
        await asyncio.to_thread(server.wait_for, lambda: warned(server))
        [warning] = warned(server)
    assert (warning["connections"], warning["web_processes"]) == (2, 1)


async def test_a_connection_that_slack_asked_to_replace_is_no_ghost(on: Outbox, web: dict[str, str]) -> None:
    async with serving(on.slack, "socket", web) as server:
        await on.slack.wait_for(lambda: on.slack.sockets.open)
        before = list(on.slack.sockets.open)
        await on.slack.sockets.refresh()
        await on.slack.wait_for(lambda: on.slack.sockets.open and on.slack.sockets.open != before)
        assert (await (await deployment_of(on.slack, server, "socket")).crew("list")).ok
        assert not warned(server)


def warned(server: Server) -> list[dict[str, Any]]:
    return [each for each in server.log if "more connections" in each.get("message", "")]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_slack_being_away_stops_no_start(
    slack: LoopbackSlack, data_dir: Path, web: dict[str, str], transport: Transport
) -> None:
    await slack.go_down()
    server = Server(data_dir, slack_settings(slack, transport) | web)
    try:
        await asyncio.to_thread(server.wait_for, lambda: "http://" in server.output)
        assert (await asyncio.to_thread(server.get, "/health"))[0] == 200
        await slack.come_up()
        await slack.wait_for(lambda: slack.called("auth.test"))
        connect(slack, server, transport)
        deployment = await deployment_of(slack, server, transport)
        assert (await deployment.crew("help")).ok
        await asyncio.to_thread(server.stop)
    finally:
        server.sweep()


async def says_paused(deployment: ChannelDeployment) -> bool:
    return "Paused" in (await deployment.answer("status")).words


async def says_nothing_of_a_pause(deployment: ChannelDeployment) -> bool:
    return not await says_paused(deployment)


@pytest.mark.parametrize("event", ["tokens_revoked", "app_uninstalled"])
async def test_a_workspace_is_paused_until_its_token_works_again(
    slack: LoopbackSlack, web: dict[str, str], event: str
) -> None:
    async with serving(slack, "http", web) as server:
        deployment = await deployment_of(slack, server)
        await deployment.crew("status")
        told = await (slack.revoke_tokens() if event == "tokens_revoked" else slack.uninstall())
        assert told.ok
        await eventually(lambda: says_paused(deployment))
    slack.workspace.revoked = False
    async with serving(slack, "http", web):
        await eventually(lambda: says_nothing_of_a_pause(deployment))


async def test_the_token_of_a_single_person_is_not_ours(slack: LoopbackSlack, web: dict[str, str]) -> None:
    async with serving(slack, "http", web) as server:
        deployment = await deployment_of(slack, server)
        event = {"type": "tokens_revoked", "tokens": {"oauth": [deployment.ada.id], "bot": []}}
        team = slack.workspace.team_id
        payload = {"type": "event_callback", "team_id": team, "event_id": "Ev1", "event": event}
        body = json.dumps(payload).encode()
        told = await slack.send_raw(body, slack.sign(body) | {"Content-Type": "application/json"})
        assert told.status == 200
        assert "Paused" not in (await deployment.answer("status")).words
