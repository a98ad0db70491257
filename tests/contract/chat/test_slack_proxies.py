"""Between Slack and us: answers that are none of Slack's, and files that don't get through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.failures import PlatformFailure, Rejected, RetryLater
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.messages import Message, Paragraph
from bot.surfaces.chat.places import Conversation, MessageRef
from bot.surfaces.chat.platform import SharedFile
from bot.surfaces.slack.check import check
from bot.surfaces.slack.webapi.api import SlackApi, open_api
from bot.surfaces.slack.webapi.installation import SlackInstallation
from tests.loopback.slack import GENERAL, LoopbackSlack

JSON = "application/json"
FILE = SharedFile("result.md", "One, two, three: Größe".encode(), "The result")
PAGES = {
    "a text": (b"upstream is fine", "text/plain"),
    "a text in another encoding": (b"\xff\xfeo", "text/plain"),
    "a page": (b"<h1>Sign in to the network</h1>", "text/html"),
    "nothing": (b"", JSON),
    "a list": (b"[1]", JSON),
    "a text as JSON": (b'"ok"', JSON),
    "null": (b"null", JSON),
    "half of it": (b'{"ok": true, "chan', JSON),
    "a wrong encoding": (b'{"ok": true, "channel": "\xff"}', JSON),
    "too deep to read": (b"[" * 100_000, JSON),
    "no more than ok": (b'{"ok": true}', JSON),
    "nothing in it": (
        (
            b'{"ok": true, "channel": null, "ts": null, "user": null, "users": null, "messages": null,'
            b' "permalink": null, "usergroups": null, "user_id": null, "upload_url": null}'
        ),
        JSON,
    ),
}
CALLS: dict[str, Callable[[SlackApi], Awaitable[object]]] = {
    "auth.test": lambda api: api.auth_test(),
    "chat.getPermalink": lambda api: api.link_to(MessageRef(GENERAL, "1.1")),
    "conversations.open": lambda api: api.open_direct("U0ADA"),
    "users.info": lambda api: api.user("U0ADA"),
    "usergroups.list": lambda api: api.user_groups(),
    "usergroups.users.list": lambda api: api.user_group_members("S0OPS"),
    "conversations.history": lambda api: api.newest(GENERAL, "0"),
    "conversations.replies": lambda api: api.replies(GENERAL, "1.1", "0"),
    "files.getUploadURLExternal": lambda api: api.upload(Conversation(GENERAL), FILE, run_id="run"),
}


def message(words: str) -> Message:
    return Message((words,), (Paragraph((words,)),))


@dataclass
class Proxy:
    """Passes on what Slack says, but for one path: there it says something of its own."""

    path: str = ""
    says: tuple[bytes, str] = (b"", JSON)
    status: int = 200
    #: How often; what comes then is Slack's again.
    times: int = 1_000
    asked: list[str] = field(default_factory=list)

    @web.middleware
    async def between(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.asked.append(request.path)
        answer = await handler(request)
        if not self.path or not request.path.startswith(self.path) or not self.times:
            return answer
        self.times -= 1
        content, kind = self.says
        return web.Response(body=content, status=self.status, headers={"Content-Type": kind})

    def count(self, path: str) -> int:
        return sum(each.startswith(path) for each in self.asked)


@dataclass
class Network:
    slack: LoopbackSlack
    api: SlackApi
    proxy: Proxy


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with _network() as made:
        yield made


@asynccontextmanager
async def _network() -> AsyncIterator[Network]:
    proxy = Proxy()
    async with LoopbackSlack(middlewares=[proxy.between]) as slack:
        settings = Settings.model_validate(
            {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url}
        )
        slack.person("U0ADA", name="Ada")
        async with open_api(settings, Metrics(), AckPriority()) as api:
            yield Network(slack, api, proxy)


@pytest.mark.parametrize("what", PAGES)
async def test_an_answer_that_is_none_of_slacks_says_nothing_and_is_asked_for_again(
    network: Network, what: str
) -> None:
    network.proxy.says = PAGES[what]
    for method, call in CALLS.items():
        network.proxy.path = f"/api/{method}"
        with pytest.raises(PlatformFailure) as failed:
            await call(network.api)
        assert isinstance(failed.value, RetryLater), method


@pytest.mark.parametrize("what", PAGES)
async def test_a_message_of_which_the_answer_is_none_of_slacks_is_found_and_not_posted_again(
    network: Network, what: str
) -> None:
    network.proxy.path, network.proxy.says = "/api/chat.postMessage", PAGES[what]
    posted = await network.api.post(Conversation(GENERAL), message("Is this there?"))
    assert [each.ts for each in network.slack.messages(GENERAL)] == [posted.message_id]


async def test_the_app_waits_for_slack_behind_the_sign_in_of_a_network(network: Network) -> None:
    installation = SlackInstallation(network.api)
    network.proxy.path, network.proxy.says, network.proxy.times = "/api/auth.test", PAGES["a text"], 1
    await installation.learn()
    assert installation.team == network.slack.workspace.team_id
    assert network.proxy.count("/api/auth.test") == 2


@pytest.mark.parametrize("what", PAGES)
async def test_the_doctor_says_that_slack_does_not_answer_not_that_it_refuses(
    network: Network, what: str
) -> None:
    network.proxy.path, network.proxy.says = "/api/auth.test", PAGES[what]
    settings = {"SLACK_BOT_TOKEN": network.slack.bot_token, "SLACK_API_URL": network.slack.api_url}
    [found] = await check(Settings.model_validate(settings))
    assert found.state == "broken"
    assert "does not answer" in found.words


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_is_shared_in_its_thread_with_its_title(network: Network) -> None:
    parent = await network.api.post(Conversation(GENERAL), message("Here"))
    await network.api.upload(parent.thread, FILE, run_id="run")
    [upload] = network.slack.workspace.uploads.values()
    assert (upload.name, upload.title, upload.content) == (FILE.name, FILE.title, FILE.content)
    assert (upload.channel, upload.thread_ts) == (GENERAL, parent.message_id)


@pytest.mark.parametrize("status", [400, 403, 404, 407, 413])
async def test_a_file_that_is_not_let_through_is_refused_at_once(network: Network, status: int) -> None:
    """Its host is not the Web API's. Whoever shares it says it in another way, and isn't held up for ever."""
    network.proxy.path, network.proxy.status = "/upload/", status
    with pytest.raises(Rejected):
        await network.api.upload(Conversation(GENERAL), FILE, run_id="run")
    assert network.proxy.count("/upload/") == 1
    assert network.slack.messages(GENERAL) == []


@pytest.mark.parametrize("times", [1, 1_000])
async def test_a_file_is_sent_a_few_times_while_its_host_fails(network: Network, times: int) -> None:
    network.proxy.path, network.proxy.status, network.proxy.times = "/upload/", 503, times
    if times == 1:
        await network.api.upload(Conversation(GENERAL), FILE, run_id="run")
        assert len(network.slack.messages(GENERAL)) == 1
    else:
        with pytest.raises(Rejected):
            await network.api.upload(Conversation(GENERAL), FILE, run_id="run")
        assert network.proxy.count("/upload/") == 3
