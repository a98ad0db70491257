"""The inbound engine: everything between a platform's payloads and the store, composed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.core.actor import Actor
from bot.core.directory import Directory
from bot.core.feed import Feed
from bot.core.locales import Locale
from bot.core.ports import Store
from bot.surfaces.chat.inbound.ack_handler import AckHandler
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.catchup import CatchUp, ThreadHistory
from bot.surfaces.chat.inbound.commands import CommandHandlers, ConsoleLinks
from bot.surfaces.chat.inbound.decisions import Decisions
from bot.surfaces.chat.inbound.field_forms import FieldForms
from bot.surfaces.chat.inbound.form_files import FileSource, FormFiles
from bot.surfaces.chat.inbound.form_handlers import FormHandlers
from bot.surfaces.chat.inbound.pending_requests import PendingRequests
from bot.surfaces.chat.inbound.ports import (
    ActorResolver,
    FormOpener,
    Orphans,
    PrivateMessenger,
    QuestionLayout,
)
from bot.surfaces.chat.inbound.presses import PressHandlers
from bot.surfaces.chat.inbound.replies import Replies
from bot.surfaces.chat.inbound.routing import MessageRouter
from bot.surfaces.chat.inbound.starting import RunStarter
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.presence import Presence
from bot.tasks import BackgroundTasks


@dataclass(frozen=True)
class InboundPlatform:
    """What the engine needs of a platform."""

    capabilities: Capabilities
    people: ActorResolver
    messenger: PrivateMessenger
    forms: FormOpener
    layout: QuestionLayout
    orphans: Orphans
    #: Where the files of forms are; None: its forms have no fields for files.
    files: FileSource | None = None


class InboundEngine:
    """What a platform's adapter hands requests to. Nothing here connects or runs."""

    def __init__(
        self,
        platform: InboundPlatform,
        store: Store,
        feed: Feed,
        presence: Presence,
        background: BackgroundTasks,
        console: ConsoleLinks,
    ) -> None:
        capabilities = platform.capabilities
        self.people = people = KnownPeople(platform.people, store.directory)
        surface, limits = capabilities.surface, capabilities.limits
        self._surface = surface
        self._store = store
        self._presence = presence
        self.pending = PendingRequests(surface, store, presence)
        self.ack_handler = AckHandler(
            surface, background, platform.messenger, platform.forms, store.key_values, self.pending
        )
        starter = RunStarter(capabilities, store, feed, platform.messenger)
        answers = Answers(surface, store, platform.layout)
        decisions = Decisions(capabilities, store, answers)
        replies = Replies(capabilities, store, people, answers)
        self.commands = CommandHandlers(capabilities, store, people, starter, console)
        files = FormFiles(store.files, platform.files)
        fields = FieldForms(capabilities, store, people, answers, starter, files)
        self.forms = FormHandlers(capabilities, store, people, answers, decisions, fields)
        self.router = MessageRouter(people, self.commands, replies, platform.orphans)
        self.presses = PressHandlers(
            store,
            people,
            answers,
            decisions,
            platform.orphans,
            replies,
            self.commands,
            starter,
            self.forms,
            limits,
        )

    def catch_up(self, history: ThreadHistory) -> CatchUp:
        """Reads what was written while no process received it."""
        return CatchUp(self._surface, self._store, history, self._presence, self.ack_handler, self.router)


class KnownPeople:
    """A platform's people as the rest of the engine sees them. Implements the port `ActorResolver`."""

    def __init__(self, people: ActorResolver, directory: Directory) -> None:
        self._people = people
        self._directory = directory

    async def actor(self, user: str, installation: str = "") -> Actor:
        """Raises what the platform's people raise, and StoreUnavailable."""
        looking_up = self._people.actor(user, installation)
        if not (principal := self._people.principal(user)):
            return await self._directory.known(await looking_up)
        return await self._directory.known_later(principal, looking_up)

    def principal(self, user: str) -> str:
        """What names this user in policies."""
        return self._people.principal(user)

    async def locale(self, user: str, /) -> Locale:
        """How this user writes numbers and dates."""
        return await self._people.locale(user)

    async def names(self, users: Iterable[str]) -> Mapping[str, str]:
        """What these users are called."""
        return await self._people.names(users)
