"""Slack's side of a scenario: a real server that is connected to a loopback Slack, and people in a channel.

The server lives for the session, one for each transport; a deployment's channel and people are new for each
test, so that tests don't see each other's threads.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from redis.asyncio import Redis

from tests.loopback.slack import Delivery, LoopbackSlack, Message, Person
from tests.scenario.server import Server
from tests.waiting import WITHIN

Transport = Literal["http", "socket"]

over_both = pytest.mark.parametrize("slack_deployment", ["http", "socket"], indirect=True)
"""For tests of what depends on how Slack's deliveries arrive; the others run over HTTP alone."""
SECRET = "a-signing-secret"
CREWS = Path(__file__).parent / "crews"
PATIENCE_S = 30.0
"""How long this Slack waits for acknowledgements. That they come in time has tests of its own."""
ENDED = ("Completed", "Failed", "Cancelled")
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class SlackDeployment:
    """A server and the Slack that it is connected to."""

    slack: LoopbackSlack
    server: Server
    transport: Transport

    async def warm_up(self) -> None:
        """Return when crews run: a worker takes its time to load what they are made of."""
        deployment = self.in_a_channel()
        try:
            parent = await deployment.started("tell tides")
            await deployment.until(lambda: deployment.open_questions(parent)[-1])
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.server.story()}") from None

    def in_a_channel(self, kind: Literal["channel", "group"] = "channel") -> ChannelDeployment:
        """A channel of its own, with Ada and Bob and the app in it."""
        number = next(_NUMBERS)
        ada = self.slack.person(f"U0ADA{number}", name="Ada")
        bob = self.slack.person(f"U0BOB{number}", name="Bob")
        channel = self.slack.add_channel(f"C0CHANNEL{number}", kind=kind, members=(ada, bob))
        return ChannelDeployment(self.slack, self.server, channel.id, ada, bob)


@asynccontextmanager
async def slack_deployed(
    transport: Transport, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> AsyncIterator[SlackDeployment]:
    """A server that is connected to a Slack of its own, with the test crews and one worker."""
    async with (
        LoopbackSlack(ack_seconds=PATIENCE_S) as slack,
        serving(slack, transport, env, folder) as server,
    ):
        yield SlackDeployment(slack, server, transport)


@asynccontextmanager
async def serving(
    slack: LoopbackSlack,
    transport: Transport,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    kind: type[Server] = Server,
) -> AsyncIterator[Server]:
    """A server that is connected to this Slack, which may have known another one before."""
    settings = slack_settings(slack, transport) | dict(env or {})
    async with kind.start(settings, folder) as server:
        connect(slack, server, transport)
        yield server


def slack_settings(slack: LoopbackSlack, transport: Transport) -> dict[str, str]:
    """The environment of a server that is to be connected."""
    receiving = (
        {"SLACK_SIGNING_SECRET": SECRET} if transport == "http" else {"SLACK_APP_TOKEN": slack.app_token}
    )
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_API_URL": slack.api_url,
        "CREWDECK_CONFIG_DIR": str(CREWS),
        # All tests of a session edit in one workspace; the budget has tests of its own.
        "CREWDECK_SLACK_EDITS_PER_MINUTE": "6000",
        **receiving,
    }


def connect(slack: LoopbackSlack, server: Server, transport: Transport) -> None:
    """Send what people do to this server."""
    if transport == "http":
        slack.connect_http(f"{server.url}/slack/events", SECRET)
    else:
        slack.use_socket_mode()


@dataclass(frozen=True)
class ChannelDeployment:
    """A Slack deployment as two people see it in one channel."""

    slack: LoopbackSlack
    server: Server
    channel: str
    ada: Person
    bob: Person

    async def crew(self, words: str, who: Person | None = None, channel: str | None = None) -> Delivery:
        """`/crew <words>`, by Ada in the deployment's channel unless said otherwise."""
        return await (who or self.ada).command("/crew", words, channel or self.channel)

    async def answer(self, words: str, who: Person | None = None, channel: str | None = None) -> Message:
        """What `/crew <words>` is answered in private: at once, or later if that takes its time."""
        done = await self.crew(words, who, channel)
        assert done.ok, (done.status, done.body, done.error)
        await self.until(lambda: done.private[0])
        [told] = done.private
        return told

    async def started(self, words: str, who: Person | None = None, channel: str | None = None) -> Message:
        """A run's first message, after `/crew start <words>`."""
        where = channel or self.channel
        known = {each.ts for each in self.slack.messages(where)}
        done = await self.crew(f"start {words}", who, where)
        assert done.ok, (done.status, done.body, done.error)
        return await self.until(
            lambda: next(each for each in self.slack.messages(where) if each.ts not in known)
        )

    async def asked(self, words: str, who: Person | None = None, channel: str | None = None) -> Message:
        """A crew's first question, after `/crew start <words>`."""
        parent = await self.started(words, who, channel)
        return await self.question(parent)

    async def question(self, parent: Message) -> Message:
        """The open question of a thread: the newest message in which something can be pressed."""
        return await self.until(lambda: self.open_questions(parent)[-1])

    def open_questions(self, parent: Message) -> list[Message]:
        """All messages of a thread that have something to answer."""
        thread = self.slack.thread(parent.channel, parent.thread_ts or parent.ts)
        return [each for each in thread if any(_answers(element) for _, element in each.elements())]

    def runs(self) -> list[Message]:
        """What the app posted in the deployment's channel outside of threads: the first messages of runs."""
        said = self.slack.messages(self.channel)
        return [each for each in said if each.thread_ts in {None, each.ts} and self._is_ours(each)]

    def _is_ours(self, message: Message) -> bool:
        return message.user == self.slack.workspace.bot_user

    def now(self, message: Message) -> Message:
        """The message as it is by now."""
        return self.slack.message(message.channel, message.ts)

    def thread(self, message: Message) -> str:
        """All words of the message's thread."""
        thread = self.slack.thread(message.channel, message.thread_ts or message.ts)
        return "\n".join(each.words for each in thread)

    async def until(self, there: Callable[[], Message], seconds: float = WITHIN) -> Message:
        """Wait until something is there to be seen."""
        return await self.slack.wait_for(there, seconds)

    async def said(self, text: str, message: Message, seconds: float = WITHIN) -> str:
        """Wait until the thread of a message says something (a regular expression); all words of it."""
        await self.slack.wait_for(lambda: re.search(text, self.thread(message)), seconds)
        return self.thread(message)

    async def told(self, person: Person, text: str, seconds: float = WITHIN) -> Message:
        """Wait until a person is told something (a regular expression) in private."""
        return await self.until(
            lambda: next(each for each in self.private(person) if re.search(text, each.words)), seconds
        )

    def private(self, person: Person) -> list[Message]:
        """What only this person was shown in the channel, direct messages included."""
        shown = [
            each for each in self.slack.ephemerals(person.id) if each.channel in {self.channel, person.im}
        ]
        direct = [each for each in self.slack.messages(person.im) if each.user != person.id]
        return [*shown, *direct]


async def grow_old(deployment: ChannelDeployment, person: Person) -> float:
    """Let what is kept of a person reach its age; how old it may become, in seconds."""
    async with Redis.from_url(deployment.server.store_url, decode_responses=True) as redis:
        [name] = [key async for key in redis.scan_iter(match=f"*slack:profile:*:{person.id}")]
        lives: int = await redis.pttl(name)
        await redis.delete(name)
    return lives / 1000


def _answers(element: dict[str, object]) -> bool:
    return str(element["action_id"]).startswith(("answer.", "open.reply", "open.full"))
