"""Delivery to a chat platform as a deployment has it: a real store, an outbox worker, and the platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.core.people.actor import Actor, Membership
from bot.core.people.policy import Policy
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.run import Claim, Run
from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.store.redis import open_store
from bot.surfaces.chat.delivery.orphans import OrphanReconciler
from bot.surfaces.chat.delivery.outbox import OutboxWorker
from bot.surfaces.chat.delivery.thread import Links
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.platform import ChatPlatform
from bot.surfaces.chat.recipients import ProfileUnavailable, Recipients
from bot.surfaces.slack.webapi.api import open_api
from bot.surfaces.teams.connector.platform import open_platform
from bot.surfaces.teams.credentials import TeamsApp
from tests.contract.chat.memory_platform import MemoryPlatform
from tests.contract.chat.peers import MemoryPeer, Peer, Seen, SlackPeer, TeamsPeer
from tests.contract.examples import DEMO, approval, new_run
from tests.loopback.slack import LoopbackSlack
from tests.loopback.teams import LoopbackTeams
from tests.waiting import alongside, eventually

TENANT = "T0CREW"


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
    #: How many processes deliver.
    _delivering: int = 0

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
            self.store,
            self.wakeups,
            self.platform,
            Metrics(),
            owner,
            recipients=recipients,
            peers=lambda: self._delivering,
        )
        self._delivering += 1
        try:
            async with alongside(worker.run()):
                yield
        finally:
            self._delivering -= 1

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
