"""Requests whose signature was seen do nothing; for commands the check costs no round trip of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlencode

import redis
from structlog.testing import capture_logs

from bot.core.ports.lists import RunFilter
from tests.contract.chat.finishing import finished
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.slack_inbound import CHANNEL, SlackChat, slack_chat_over_http
from tests.contract.faulty_proxy import faulty_proxy
from tests.loopback.slack import Delivery
from tests.loopback.slack.payloads import slash_command

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
SLOW_S = 2.5
"""Longer than a request is handled before it is acknowledged."""


def signed(chat: SlackChat, user: str, words: str) -> tuple[bytes, dict[str, str]]:
    workspace = chat.slack.workspace
    given = ("/crew", words)
    payload = slash_command(workspace, chat.people[user].user, workspace.channel(CHANNEL), given, "")
    body = urlencode(payload).encode()
    return body, chat.slack.sign(body) | FORM


async def started(chat: SlackChat) -> int:
    return len(await chat.store.runs.list(RunFilter(limit=10)))


async def test_a_replay_is_acknowledged_without_asking_who_it_is_and_what_is_pending_stays(
    redis_url: str,
) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        chat.slack.delay("users.info", SLOW_S, times=1)
        request = signed(chat, ADA, "start demo")
        first = await chat.slack.send_raw(*request)
        assert await chat.store.key_values.pending("slack:deliveries")
        replay = await chat.slack.send_raw(*request)
        assert (first.status, replay.status, replay.body) == (200, 200, None)
        assert await chat.store.key_values.pending("slack:deliveries")
        await finished(chat.inbound.background)
        assert await started(chat) == 1


async def test_of_two_copies_at_once_one_starts_a_run(redis_url: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        request = signed(chat, ADA, "start demo")
        copies = await asyncio.gather(*(chat.slack.send_raw(*request) for _ in range(5)))
        assert {each.status for each in copies} == {200}
        assert sum(each.body is not None for each in copies) == 1, "one of them says what was started"
        await finished(chat.inbound.background)
        assert await started(chat) == 1


async def test_an_event_is_handled_once_with_the_same_signature(redis_url: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        said = await chat.people[ADA].say(CHANNEL, "Hello")
        body = json.dumps(said.payload | {"event_id": "Ev0REPLAY"}).encode()
        headers = chat.slack.sign(body) | JSON
        with capture_logs() as first:
            assert (await chat.slack.send_raw(body, headers)).status == 200
        with capture_logs() as again:
            assert (await chat.slack.send_raw(body, headers)).status == 200
        assert [any("sent again" in each["event"] for each in logs) for logs in (first, again)] == [
            False,
            True,
        ]


async def test_whether_a_start_is_a_replay_is_asked_with_who_gave_it(
    data_dir: Path, server: redis.Redis
) -> None:
    path: str = server.connection_pool.connection_kwargs["path"]
    async with faulty_proxy(data_dir / "proxy.sock", path) as proxy, slack_chat_over_http(proxy.url) as chat:

        async def start(user: str) -> Delivery:
            return await chat.people[user].command("/crew", "start demo", CHANNEL)

        for user in (ADA, BOB):  # Who they are is asked once, and Redis learns the scripts.
            await start(user)
        before = proxy.round_trips
        assert (await start(ADA)).ok
        assert proxy.round_trips - before <= 3, "who it is and the check; the catalogue; the run"
