"""Delivery to a chat platform as a deployment has it: a real store, an outbox worker, and the platform."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum, auto
from typing import Any

from bot.core.actor import Actor, Membership
from bot.core.policy import Policy
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.run import Claim, Run
from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.store.redis import open_store
from bot.surfaces.chat.delivery.orphans import OrphanReconciler
from bot.surfaces.chat.delivery.outbox import OutboxWorker
from bot.surfaces.chat.delivery.thread import Links
from bot.surfaces.chat.failures import RetryLater, Unrenderable
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.messages import Actions, Button, Message
from bot.surfaces.chat.places import ChatPlace, MessageRef
from bot.surfaces.chat.platform import ChatPlatform, ProfileUnavailable, Recipients
from bot.surfaces.slack.webapi.api import open_api
from bot.surfaces.teams.connector.platform import open_platform
from bot.surfaces.teams.credentials import TeamsApp
from tests.contract.chat.memory_platform import MemoryPlatform
from tests.contract.examples import DEMO, approval, new_run
from tests.loopback.slack import GENERAL, LoopbackSlack
from tests.loopback.slack.faults import Fault
from tests.loopback.teams import LoopbackTeams
from tests.waiting import alongside, eventually

TENANT = "T0CREW"
RATE_LIMIT_S = 1


@dataclass(frozen=True)
class Seen:
    """A message as people see it."""

    posted: MessageRef
    thread: str | None
    words: str
    buttons: tuple[str, ...]


class Trouble(Enum):
    """What goes wrong with a call."""

    NONE = auto()
    RATE_LIMITED = auto()
    FAILED = auto()
    #: The connection breaks before the call has an effect.
    BROKEN = auto()


#: Called with `post` or `update` before each of them.
Disturbance = Callable[[str], Trouble]
_FAULTS = {
    Trouble.RATE_LIMITED: Fault(1, 429, "ratelimited", headers={"Retry-After": str(RATE_LIMIT_S)}),
    Trouble.FAILED: Fault(1, 500),
    Trouble.BROKEN: Fault(1, dropped=True),
}


class Peer(ABC):
    """The platform's side: what people see there, and what goes wrong there."""

    channel: str

    @abstractmethod
    def disturb(self, trouble: Disturbance) -> None:
        """From now on this is asked what goes wrong with each call."""

    @abstractmethod
    def messages(self, channel: str) -> list[Seen]: ...

    @abstractmethod
    def direct_channel(self, user_id: str) -> str: ...

    @abstractmethod
    def refuse_blocks_once(self) -> None: ...

    @abstractmethod
    def rate_limit_once(self) -> None: ...

    @abstractmethod
    def lose_answer_once(self) -> None: ...

    @abstractmethod
    async def close(self, channel: str) -> None: ...

    @abstractmethod
    def delete(self, posted: MessageRef) -> None:
        """Somebody deletes a message of the app."""

    def files(self, channel: str) -> list[str]:
        """The names of the files in a channel; or messages that lead to them, where it takes no files."""
        return [seen.words.split("\n")[0] for seen in self.messages(channel) if "📎" in seen.words]


class MemoryPeer(Peer):
    channel = "general"

    def __init__(self, platform: MemoryPlatform) -> None:
        self._platform = platform

    def disturb(self, trouble: Disturbance) -> None:
        def check(call: str) -> None:
            match trouble(call):
                case Trouble.NONE:
                    return
                case Trouble.RATE_LIMITED:
                    raise RetryLater(RATE_LIMIT_S, "rate limited")
                case _:
                    raise RetryLater(0, "failed")

        self._platform.check = check

    def messages(self, channel: str) -> list[Seen]:
        return [
            Seen(each.posted, each.thread, _words(each.message), _buttons(each.message))
            for each in self._platform.shown.values()
            if each.posted.channel == channel
        ]

    def direct_channel(self, user_id: str) -> str:
        return f"direct-{user_id}"

    def refuse_blocks_once(self) -> None:
        self._platform.refuse.append(Unrenderable("too_fancy"))

    def rate_limit_once(self) -> None:
        self._platform.refuse.append(RetryLater(RATE_LIMIT_S, "rate limited"))

    def lose_answer_once(self) -> None:
        self._platform.lose_answers = 1

    async def close(self, channel: str) -> None:
        self._platform.closed.add(channel)

    def delete(self, posted: MessageRef) -> None:
        del self._platform.shown[posted]

    def files(self, channel: str) -> list[str]:
        return [name for name, _ in self._platform.files[channel]]


class SlackPeer(Peer):
    channel = GENERAL

    def __init__(self, slack: LoopbackSlack) -> None:
        self._slack = slack

    def disturb(self, trouble: Disturbance) -> None:
        calls = {"chat.postMessage": "post", "chat.update": "update"}
        self._slack.faults.otherwise = lambda name: (
            _FAULTS.get(trouble(calls[name])) if name in calls else None
        )

    def messages(self, channel: str) -> list[Seen]:
        return [
            Seen(
                MessageRef(channel, each.ts),
                each.thread_ts if each.thread_ts != each.ts else None,
                each.words,
                tuple(each.labels),
            )
            for each in self._slack.messages(channel)
        ]

    def direct_channel(self, user_id: str) -> str:
        return self._slack.workspace.open_im(user_id).id

    def refuse_blocks_once(self) -> None:
        self._slack.fail("chat.postMessage", error="invalid_blocks")

    def rate_limit_once(self) -> None:
        self._slack.rate_limit("chat.postMessage", retry_after=RATE_LIMIT_S)

    def lose_answer_once(self) -> None:
        self._slack.lose_answer("chat.postMessage")

    async def close(self, channel: str) -> None:
        await self._slack.archive(channel)

    def delete(self, posted: MessageRef) -> None:
        del self._slack.workspace.channels[posted.channel].messages[posted.message_id]

    def files(self, channel: str) -> list[str]:
        del channel
        return list(self._slack.files())


class TeamsPeer(Peer):
    """A channel of which the deciders are no members, so that everybody sees the buttons."""

    def __init__(self, teams: LoopbackTeams) -> None:
        self._teams = teams
        self.channel = teams.channel().id

    def disturb(self, trouble: Disturbance) -> None:
        calls = ("post", "update")
        self._teams.connector.faults.otherwise = lambda name: (
            _FAULTS.get(trouble(name)) if name in calls else None
        )

    def messages(self, channel: str) -> list[Seen]:
        where = self._teams.tenant.conversations.get(channel)
        return [
            Seen(MessageRef(channel, each.id), each.thread, html.unescape(each.words), tuple(each.labels))
            for each in (self._teams.messages(where) if where else ())
        ]

    def direct_channel(self, user_id: str) -> str:
        user = next(each for each in self._teams.tenant.users.values() if each.object_id == user_id)
        return self._teams.tenant.personal(user).id

    def refuse_blocks_once(self) -> None:
        self._teams.fail("post", 400, error="BadArgument")

    def rate_limit_once(self) -> None:
        self._teams.rate_limit("post", retry_after=RATE_LIMIT_S)

    def lose_answer_once(self) -> None:
        self._teams.lose_answer("post")

    async def close(self, channel: str) -> None:
        self._teams.close(self._teams.tenant.conversations[channel])

    def delete(self, posted: MessageRef) -> None:
        del self._teams.tenant.conversations[posted.channel].messages[posted.message_id]


@dataclass
class Deployment:
    """Everything a test needs. The tests play the crew's worker and the people."""

    store: Store
    wakeups: Wakeups
    platform: ChatPlatform
    peer: Peer
    orphans: OrphanReconciler
    #: People who are not members of the workspace, or of whom the platform can't say who they are.
    memberships: dict[str, Membership | None] = field(default_factory=dict)

    @property
    def surface(self) -> str:
        return self.platform.capabilities.surface

    def person(self, user_id: str) -> Actor:
        return Actor(surface=self.surface, tenant=TENANT, user_id=user_id, name=user_id)

    async def recognise(self, user_id: str) -> Actor:
        membership = self.memberships.get(user_id, Membership.MEMBER)
        if membership is None:
            raise ProfileUnavailable(self.surface)
        return self.person(user_id).model_copy(update={"membership": membership})

    @asynccontextmanager
    async def delivering(self, owner: str = "web-1") -> AsyncIterator[None]:
        """A process that delivers, until the block ends."""
        recipients = Recipients(self.recognise)
        worker = OutboxWorker(
            self.store, self.wakeups, self.platform, Metrics(), owner, recipients=recipients
        )
        async with alongside(worker.run()):
            yield

    async def start(self, by: str = "U0ADA", channel: str = "") -> Run:
        place = ChatPlace(self.surface, TENANT, channel or self.peer.channel).encode()
        new = new_run(by=self.person(by), place=place, awaiting_thread=True)
        run, _ = await self.store.runs.start(new)
        return run

    async def claim(self) -> Claim:
        """The next run, as soon as it is queued."""
        claims: list[Claim] = []

        async def there() -> bool:
            claims.extend(await self.store.queue.claim("worker", [DEMO.name], 1, 60))
            return bool(claims)

        await self.until(there)
        return claims[0]

    async def ask(self, claim: Claim, prompt: str, *deciders: str, **more: Any) -> Question:
        policy = Policy(deciders=tuple(self.person(each).principal for each in deciders or ("U0ADA",)))
        question = approval(claim, prompt).model_copy(update={"prompt": prompt, "policy": policy, **more})
        return await self.store.questions.ask(claim, question)

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────

    def all_saying(self, words: str, channel: str = "") -> list[Seen]:
        return [each for each in self.peer.messages(channel or self.peer.channel) if words in each.words]

    async def sees(self, words: str, channel: str = "") -> Seen:
        """The first message that says so, as soon as there is one."""

        async def there() -> bool:
            return bool(self.all_saying(words, channel))

        await self.until(there)
        return self.all_saying(words, channel)[0]

    async def until(self, there: Callable[[], Awaitable[bool]]) -> None:
        await eventually(there)

    async def all_shown(self, run: Run) -> bool:
        """Everything that happened in the run has been shown."""
        run = await self.store.runs.get(run.id)
        return (await self.store.outbox.state(self.surface, run.id)).cursor == run.seq


@asynccontextmanager
async def deployed(kind: str, redis_url: str) -> AsyncIterator[Deployment]:
    """A deployment whose platform is in memory, or a loopback Slack."""
    async with open_store(redis_url) as store, _platform(kind, store) as (platform, peer):
        wakeups = Wakeups()
        orphans = OrphanReconciler(store, platform, Links(store.key_values, platform))
        async with alongside(wakeups.follow(store.events)):
            yield Deployment(store, wakeups, platform, peer, orphans)


@asynccontextmanager
async def _platform(kind: str, store: Store) -> AsyncIterator[tuple[ChatPlatform, Peer]]:
    match kind:
        case "memory":
            memory = MemoryPlatform()
            yield memory, MemoryPeer(memory)
        case "slack":
            async with _slack() as there:
                yield there
        case _:
            async with _teams(store) as there:
                yield there


@asynccontextmanager
async def _teams(store: Store) -> AsyncIterator[tuple[ChatPlatform, Peer]]:
    async with LoopbackTeams(tenant=TENANT) as teams:
        peer = TeamsPeer(teams)
        for user_id in ("U0ADA", "U0BOB"):
            teams.person(user_id, object_id=user_id)
        teams.channel().members.clear()
        app = TeamsApp(
            teams.app_id,
            TENANT,
            teams.app_password,
            console="https://crew.example.com",
            local_peer=True,
            login_url=teams.login_url,
        )
        async with open_platform(app, store.key_values, store.files, Metrics(), AckPriority()) as platform:
            await platform.service_urls.record(peer.channel, teams.service_url)
            yield platform, peer


@asynccontextmanager
async def _slack() -> AsyncIterator[tuple[ChatPlatform, Peer]]:
    async with LoopbackSlack() as slack:
        for user_id in ("U0ADA", "U0BOB"):
            slack.person(user_id, name=user_id)
        settings = Settings.model_validate(
            {
                "SLACK_BOT_TOKEN": slack.bot_token,
                "SLACK_API_URL": slack.api_url,
                "CREWDECK_SLACK_EDITS_PER_MINUTE": 6000,
            }
        )
        async with open_api(settings, Metrics(), AckPriority()) as api:
            yield api, SlackPeer(slack)


def _texts(value: object) -> Iterator[str]:
    """All texts in a message, in order."""
    match value:
        case str():
            yield value
        case tuple() | list():
            for each in value:
                yield from _texts(each)
        case _ if is_dataclass(value):
            for each in fields(value):
                yield from _texts(getattr(value, each.name))


def _words(message: Message) -> str:
    return "".join(_texts(message))


def _buttons(message: Message) -> tuple[str, ...]:
    rows = (block.elements for block in message.blocks if isinstance(block, Actions))
    return tuple(each.label for row in rows for each in row if isinstance(each, Button))
