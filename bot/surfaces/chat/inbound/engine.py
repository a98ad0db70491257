"""The inbound engine: everything between a platform's payloads and the store, composed."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.ports.store import Store
from bot.core.wakeups import Wakeups
from bot.surfaces.chat.inbound.ack_handler import AckHandler, PendingRequests
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.catchup import CatchUp, ThreadHistory
from bot.surfaces.chat.inbound.commands import CommandHandlers, ConsoleLinks
from bot.surfaces.chat.inbound.field_forms import FieldForms
from bot.surfaces.chat.inbound.form_handlers import DecisionForms, FormHandlers
from bot.surfaces.chat.inbound.form_values import FileSource, FormFiles
from bot.surfaces.chat.inbound.people import KnownPeople
from bot.surfaces.chat.inbound.ports import (
    ActorResolver,
    FormOpener,
    Orphans,
    PrivateMessenger,
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
    orphans: Orphans
    #: Where the files of forms are; None: its forms have no fields for files.
    files: FileSource | None = None


class InboundEngine:
    """Handles the requests that a platform's adapter passes on. It opens no connection and starts no task."""

    def __init__(
        self,
        platform: InboundPlatform,
        store: Store,
        wakeups: Wakeups,
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
        starter = RunStarter(capabilities, store, wakeups, platform.messenger)
        answers = Answers(capabilities, store)
        decisions = DecisionForms(capabilities, store, answers)
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
