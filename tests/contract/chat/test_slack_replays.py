"""Requests whose signature was seen do nothing; that of a start is recorded with its run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
import redis
from structlog.testing import capture_logs

from bot.core import ids
from bot.core.ports.lists import RunFilter
from bot.store.redis import open_store
from bot.surfaces.slack.inbound.people import SlackActors
from bot.tasks import BackgroundTasks
from tests.contract.chat.finishing import finished
from tests.contract.chat.played_crew import ADA, BOB, GREETER
from tests.contract.chat.slack_inbound import CHANNEL, SlackChat, slack_chat_over_http
from tests.contract.examples import DEMO
from tests.contract.faulty_proxy import faulty_proxy
from tests.loopback.slack import Delivery, payloads
from tests.loopback.slack.payloads import slash_command

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def signed(chat: SlackChat, user: str, words: str) -> tuple[bytes, dict[str, str]]:
    workspace = chat.slack.workspace
    given = ("/crew", words)
    payload = slash_command(workspace, chat.people[user].user, workspace.channel(CHANNEL), given, "")
    body = urlencode(payload).encode()
    return body, chat.slack.sign(body) | FORM


def mention(chat: SlackChat, words: str) -> tuple[bytes, dict[str, str]]:
    workspace = chat.slack.workspace
    text, ts = f"<@{workspace.bot_user}> {words}", workspace.next_ts()
    event = payloads.user_message(workspace, chat.people[ADA].user, text, ts) | {
        "type": "app_mention",
        "channel": CHANNEL,
    }
    body = json.dumps(payloads.event_callback(workspace, event, workspace.channel(CHANNEL))).encode()
    return body, chat.slack.sign(body) | JSON


async def started(chat: SlackChat) -> int:
    return len(await chat.store.runs.list(RunFilter(limit=10)))


async def test_a_replay_is_acknowledged_without_asking_who_it_is_and_what_is_pending_stays(
    redis_url: str,
) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        request = signed(chat, ADA, "start demo")
        with chat.slack.faults.holding_answers("users.info"):
            first = await chat.slack.send_raw(*request)
            assert await chat.store.key_values.pending("slack:deliveries")
            with capture_logs() as logs:
                replay = await chat.slack.send_raw(*request)
            assert any("sent again" in each["event"] for each in logs)
            assert (first.status, replay.status, replay.body) == (200, 200, None)
            assert await chat.store.key_values.pending("slack:deliveries")
        await finished(chat.inbound.background)
        assert await started(chat) == 1


class Workspace:
    """Where people are, once Slack has said so."""

    enterprise, org_wide = "", False

    def __init__(self) -> None:
        self.team = ""
        self.log: list[str] = []

    async def ready(self) -> None:
        self.log.append("asked which workspace it is")
        self.team = "T0CREW"

    async def user(self, user_id: str) -> Mapping[str, Any]:
        self.log.append(f"asked about {user_id}")
        return {"id": user_id, "team_id": self.team}

    async def recorded(self) -> None:
        self.log.append("recorded")


async def test_a_start_is_recorded_before_slack_is_waited_for(redis_url: str) -> None:
    async with open_store(redis_url) as store:
        slack = Workspace()
        people = SlackActors(slack, store.key_values, BackgroundTasks(), slack)
        for _ in range(2):
            await people.actor("U0ADA", before_asking=slack.recorded)
        assert slack.log == [
            "recorded",
            "asked which workspace it is",
            "recorded",
            "asked about U0ADA",
        ]


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


async def test_a_start_is_recorded_with_its_run_in_one_write(redis_url: str, server: redis.Redis) -> None:
    def written() -> int:
        return int(server.info("commandstats")["cmdstat_evalsha"]["calls"])

    async with slack_chat_over_http(redis_url) as chat:

        async def start(user: str) -> Delivery:
            return await chat.people[user].command("/crew", "start demo", CHANNEL)

        for user in (ADA, BOB):  # Who they are is asked once, and Redis learns the scripts.
            await start(user)
        before = written()
        assert (await start(ADA)).ok
        assert written() - before == 1


async def test_a_start_with_inputs_reads_who_gives_it_once(redis_url: str, server: redis.Redis) -> None:
    def read() -> int:
        return int(server.info("commandstats")["cmdstat_get"]["calls"])

    async with slack_chat_over_http(redis_url) as chat:
        for user in (ADA, BOB):
            await chat.people[user].command("/crew", "start greeter AI", CHANNEL)
        before = read()
        assert (await chat.people[ADA].command("/crew", "start greeter topic=AI count=2", CHANNEL)).ok
        assert read() - before == 1


@pytest.mark.parametrize(
    "words",
    ["start demo", "start nobody", "start", "start greeter", "start greeter AI count=x", "list", "help"],
)
async def test_a_command_that_is_replayed_says_nothing(redis_url: str, words: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        request = signed(chat, ADA, words)
        first = await chat.slack.send_raw(*request)
        with capture_logs() as logs:
            replay = await chat.slack.send_raw(*request)
        await finished(chat.inbound.background)
        assert (first.status, replay.status, replay.body) == (200, 200, None)
        assert any("sent again" in each["event"] for each in logs)
        assert await started(chat) == (words == "start demo")


async def test_a_start_that_failed_is_not_replayed_once_it_could_succeed(redis_url: str) -> None:
    late = DEMO.model_copy(update={"name": "late"})
    async with slack_chat_over_http(redis_url) as chat:
        request = signed(chat, ADA, "start late")
        assert (await chat.slack.send_raw(*request)).body is not None
        await chat.store.catalogue.announce("tests", [DEMO, GREETER, late])
        assert (await chat.slack.send_raw(*request)).body is None
        assert await started(chat) == 0
        assert (await chat.slack.send_raw(*signed(chat, ADA, "start late"))).body is not None
        assert await started(chat) == 1


async def test_a_replayed_start_leaves_what_was_filled_in_since(redis_url: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        body, headers = signed(chat, ADA, "start greeter")
        await chat.slack.send_raw(body, headers)
        await finished(chat.inbound.background)
        [trigger] = parse_qs(body.decode())["trigger_id"]
        run_id = ids.run_id(f"slack:{chat.slack.workspace.team_id}:command:{trigger}")
        draft, key_values = f"slack:draft:{run_id}", chat.store.key_values
        assert await key_values.get(draft)
        await key_values.set(draft, "filled in", 60)
        await chat.slack.send_raw(body, headers)
        assert await key_values.get(draft) == "filled in"


async def test_a_start_of_a_deleted_run_is_still_a_replay(redis_url: str) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        request = signed(chat, ADA, "start demo")
        await chat.slack.send_raw(*request)
        await finished(chat.inbound.background)
        [run] = await chat.store.runs.list(RunFilter(limit=10))
        await chat.store.runs.cancel(run.id, run.requester)
        await chat.store.runs.delete(run.id)
        assert (await chat.slack.send_raw(*request)).body is None
        assert await started(chat) == 0


async def test_a_start_that_the_full_store_refused_is_not_replayed(
    redis_url: str, server: redis.Redis
) -> None:
    async with slack_chat_over_http(redis_url) as chat:
        for user in (ADA, BOB):
            await chat.people[user].command("/crew", "start demo", CHANNEL)
        request = signed(chat, ADA, "start demo")
        server.config_set("maxmemory", "1")
        try:
            assert "again" in str((await chat.slack.send_raw(*request)).body)
        finally:
            server.config_set("maxmemory", "0")
        assert (await chat.slack.send_raw(*request)).body is None
        assert await started(chat) == 2


async def test_an_event_that_could_not_be_handled_may_come_again_with_its_signature(
    data_dir: Path, server: redis.Redis
) -> None:
    path: str = server.connection_pool.connection_kwargs["path"]
    async with faulty_proxy(data_dir / "proxy.sock", path) as proxy, slack_chat_over_http(proxy.url) as chat:
        body, headers = mention(chat, "start demo")
        proxy.refuse(b"run_started")
        assert (await chat.slack.send_raw(body, headers)).status == 503
        assert await started(chat) == 0
        for _ in range(2):
            assert (await chat.slack.send_raw(body, headers)).status == 200
        await finished(chat.inbound.background)
        assert await started(chat) == 1
