"""The inbound engine on a chat platform in memory: people act, and each is told what came of it."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from bot.core.locales import Locale
from bot.core.people.actor import Actor, Membership
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.place import Place
from bot.core.wakeups import Wakeups
from bot.store.redis import open_store
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.ack_handler import Work
from bot.surfaces.chat.inbound.commands import CommandContext, ConsoleLinks
from bot.surfaces.chat.inbound.engine import InboundEngine, InboundPlatform
from bot.surfaces.chat.inbound.ports import (
    BeforeAsking,
    FormSubmission,
    InboundRequest,
    IncomingMessage,
    Press,
    Reply,
    ReplyTarget,
)
from bot.surfaces.chat.messages import Form, Message
from bot.surfaces.chat.places import MessageRef
from bot.surfaces.chat.presence import Presence
from bot.surfaces.chat.recipients import ProfileUnavailable
from bot.tasks import BackgroundTasks
from tests.contract.chat.finishing import finished
from tests.contract.chat.memory_platform import CAPABILITIES
from tests.contract.chat.played_crew import GREETER, PlayedCrew
from tests.contract.examples import DEMO
from tests.waiting import next_millisecond

SURFACE = "memory"
TENANT = "T1"
CHANNEL = "general"
THREAD = "m1"
PLACE = Place(
    surface=SURFACE, tenant=TENANT, ref=f"{CHANNEL}/{THREAD}", group=f"{SURFACE}:{TENANT}:{CHANNEL}"
)
_numbers = itertools.count(100)


@dataclass
class MemoryPorts:
    """People, private messages, forms and orphans: the ports that the engine needs beside ChatPlatform."""

    #: People of whom the platform can't say who they are.
    strangers: set[str] = field(default_factory=set)
    guests: set[str] = field(default_factory=set)
    told: list[tuple[str, Message]] = field(default_factory=list)
    #: Open forms, by handle.
    opened: dict[str, Form] = field(default_factory=dict)
    #: Forms come too late.
    opens_nothing: bool = False
    #: What replaced open forms, by id.
    replaced: dict[str, Form] = field(default_factory=dict)
    #: Messages that show an outcome since they were pressed on too late.
    shown_outcomes: list[MessageRef] = field(default_factory=list)
    adopted: list[MessageRef] = field(default_factory=list)
    deleted: list[MessageRef] = field(default_factory=list)

    # ── People ──────────────────────────────────────────────────────────────────────────────────────────

    def principal(self, user: str) -> str:
        return person(user).principal

    async def actor(
        self, user: str, installation: str = "", before_asking: BeforeAsking | None = None
    ) -> Actor:
        del installation, before_asking
        if user in self.strangers:
            raise ProfileUnavailable("Memory")
        is_guest = {"membership": Membership.GUEST} if user in self.guests else {}
        return person(user).model_copy(update=is_guest)

    async def locale(self, _user: str) -> Locale:
        return Locale()

    async def names(self, users: Iterable[str]) -> Mapping[str, str]:
        return {user: user.title() for user in users}

    # ── PrivateMessenger, FormOpener ────────────────────────────────────────────────────────────────────

    async def tell(self, to: ReplyTarget, message: Message) -> bool:
        self.told.append((to.user, message))
        return True

    async def open(self, handle: str, form: Form, to: ReplyTarget) -> bool:
        del to
        self.opened[handle] = form
        return not self.opens_nothing

    async def replace(self, form_id: str, form: Form, to: ReplyTarget) -> bool:
        del to
        self.replaced[form_id] = form
        return not self.opens_nothing

    # ── Orphans ─────────────────────────────────────────────────────────────────────────────────────────

    async def is_recorded(self, run_id: str, posted: MessageRef) -> bool:
        del run_id
        return posted in self.adopted

    async def adopt(
        self, run_id: str, question_id: str, posted: MessageRef, *, tenant: str, thread: str
    ) -> None:
        del run_id, question_id, tenant, thread
        self.adopted.append(posted)

    async def adopt_unless_recorded_soon(
        self, run_id: str, question_id: str, posted: MessageRef, *, tenant: str, thread: str
    ) -> None:
        await self.adopt(run_id, question_id, posted, tenant=tenant, thread=thread)

    async def show_anew(self, tenant: str, posted: MessageRef, thread: str) -> None:
        del tenant, thread
        self.deleted.append(posted)

    async def show_outcome(self, run_id: str, question_id: str, posted: MessageRef) -> None:
        del run_id, question_id
        self.shown_outcomes.append(posted)


def _number(message_id: str) -> float:
    """Ids have numbers in the order of their messages; those that tests name come last."""
    number = message_id.lstrip("mq-")
    return int(number) if number.isdigit() else math.inf


def person(user: str) -> Actor:
    return Actor(surface=SURFACE, tenant=TENANT, user_id=user, name=user.title())


@dataclass
class MemoryChat(PlayedCrew):
    """Everything a test needs. The tests play the crew's worker and the people."""

    store: Store
    platform: MemoryPorts
    engine: InboundEngine
    background: BackgroundTasks
    #: When messages were written that are delivered later, in seconds, by their ids.
    written: dict[str, float] = field(default_factory=dict)

    answers_starts = True

    @property
    def place(self) -> Place:
        return PLACE

    def message_in_thread(self, message_id: str) -> MessageRef:
        return MessageRef(CHANNEL, message_id or f"q-{next(_numbers)}")

    def person(self, user: str) -> Actor:
        return person(user)

    # ── what people do; each answers with all that the person is told ───────────────────────────────────

    async def command(self, user: str, words: str, *, form_handle: str = "") -> str:
        key = f"command-{next(_numbers)}"
        target = ReplyTarget(TENANT, user, CHANNEL)
        actor = await self.engine.people.actor(user)
        context = CommandContext(words, actor, key, target, form_handle=form_handle)
        request = InboundRequest(key, target, form_handle=form_handle)
        return await self._handled(request, self.engine.commands.execute(context))

    async def press(
        self,
        user: str,
        action: str,
        target: Target,
        *,
        key: str = "",
        posted: MessageRef | None = None,
        form_handle: str = "",
        form_id: str = "",
        ticked: tuple[Target, ...] = (),
        directly: bool = False,
    ) -> str:
        to = ReplyTarget(TENANT, user, f"direct-{user}" if directly else CHANNEL, THREAD)
        key = key or f"press-{next(_numbers)}"
        values = tuple(each.encode() for each in ticked)
        press = Press(key, action, target.encode(), to, message=posted, form_id=form_id, ticked=values)
        request = InboundRequest(key, to, form_handle=form_handle, form_id=form_id)
        return await self._handled(request, self.engine.presses.handle(press))

    async def starts(self, user: str, words: str, *, message_id: str) -> str:
        """A command in a direct message."""
        message = self.message(user, words, thread="", message_id=message_id, direct=True)
        return await self._routed(message)

    async def opens(self, user: str, action: str, target: Target) -> str:
        """The words of the form that a press opens."""
        await self.press(user, action, target, form_handle="h1")
        return text_of(self.platform.opened["h1"])

    async def decides_in_form(self, user: str, action: str, target: Target) -> str:
        """What the form says after a press in it."""
        await self.press(user, action, target, form_id="f1")
        return text_of(self.platform.replaced["f1"])

    async def submit(self, user: str, callback: str, metadata: str, **values: str) -> Mapping[str, str]:
        """What is wrong in the form, by field."""
        return (await self._submitted(user, callback, metadata, values)).errors

    async def sends_late(self, user: str, callback: str, metadata: str, **values: str) -> str:
        """The words that the form shows in place of its fields."""
        return text_of((await self._submitted(user, callback, metadata, values)).form)

    async def _submitted(self, user: str, callback: str, metadata: str, values: Mapping[str, str]) -> Reply:
        key = f"form-{next(_numbers)}"
        to = ReplyTarget(TENANT, user)
        sent = FormSubmission(key, callback, metadata, values, to)
        return await self._reply(InboundRequest(key, to), self.engine.forms.handle(sent))

    async def says(
        self,
        user: str,
        words: str,
        *,
        message_id: str = "",
        elsewhere: bool = False,
        edited: bool = False,
        to: str = "",
        files: tuple[str, ...] = (),
    ) -> str:
        """A reply in the thread of the runs; `to` somebody who is mentioned first."""
        await next_millisecond()
        thread = "elsewhere" if elsewhere else THREAD
        flags: dict[str, Any] = {"names_others": bool(to), "speaks_to_others": bool(to), "attached": files}
        message = self.message(
            user, words, thread=thread, message_id=message_id, from_person=not edited, **flags
        )
        return await self._routed(message)

    def written_now(self) -> str:
        """The id of a message that is delivered later."""
        message_id = f"m-{next(_numbers)}"
        self.written[message_id] = time.time()
        return message_id

    async def draft(self, user: str, words: str) -> str:
        """The id of the draft that a start without its inputs leaves."""
        asked = await self.command(user, words)
        return next(word for word in asked.split() if len(word) == 36 and word.count("-") == 4)

    def make_unknown(self, user: str) -> None:
        """The platform can't say who this is."""
        self.platform.strangers.add(user)

    def make_guest(self, user: str) -> None:
        """Somebody who has not acted before is a guest."""
        self.platform.guests.add(user)

    async def _routed(self, message: IncomingMessage) -> str:
        request = InboundRequest(message.key, message.reply_to)
        return await self._handled(request, self.engine.router.message(message))

    def message(
        self, user: str, words: str, *, thread: str = THREAD, message_id: str = "", **more: Any
    ) -> IncomingMessage:
        message_id = message_id or f"m-{next(_numbers)}"
        about: dict[str, Any] = {
            "key": f"{SURFACE}:{TENANT}:message:{CHANNEL}:{message_id}",
            "id": message_id,
            "sent_at": self.written.get(message_id, time.time()),
            "reply_to": ReplyTarget(TENANT, user, CHANNEL, thread),
            "from_person": True,
            "direct": False,
            "text": words,
            "addressed": None,
            "mentioned": frozenset(),
            "app_user": "app",
            "names_others": False,
            "speaks_to_others": False,
            "command_text": lambda _: words,
            "answer_text": lambda _: words,
            "follows": lambda other: _number(other) < _number(message_id),
        }
        return IncomingMessage(**about | more)

    async def _handled(self, request: InboundRequest, work: Work) -> str:
        before = len(self.platform.told)
        reply = await self._reply(request, work)
        told = self.platform.told[before:]
        private = [message for user, message in told if user == request.reply_to.user]
        return text_of([reply.say, *private])

    async def _reply(self, request: InboundRequest, work: Work) -> Reply:
        """As an adapter does it: the acknowledgement carries words and errors."""
        carried: list[Reply] = []

        async def acknowledge(reply: Reply) -> Reply:
            carried.append(reply)
            return replace(reply, say=None)

        await self.engine.ack_handler.handle_interaction(request, work, acknowledge)
        await finished(self.background)
        return carried[0]

    # ── messages of ours ────────────────────────────────────────────────────────────────────────────────

    async def orphan(self) -> MessageRef:
        """A message of ours that nobody recorded."""
        return MessageRef(CHANNEL, "m7")

    async def is_adopted(self, question: Question, posted: MessageRef) -> bool:
        del question
        return posted in self.platform.adopted

    async def shows_outcome(self, posted: MessageRef) -> bool:
        return posted in self.platform.shown_outcomes


def target_of(question: Question, option_id: str = "", digest: str | None = None) -> Target:
    return Target(question.run_id, question.id, option_id, question.digest if digest is None else digest)


def text_of(value: object) -> str:
    """All texts in a message, in order."""
    match value:
        case None:
            return ""
        case str():
            return value
        case Mapping():
            return text_of(tuple(value.values()))
        case tuple() | list():
            return " ".join(text for each in value if (text := text_of(each)))
        case _ if is_dataclass(value):
            return text_of(tuple(getattr(value, each.name) for each in fields(value)))
        case _:
            return ""


@asynccontextmanager
async def memory_chat(redis_url: str) -> AsyncIterator[MemoryChat]:
    async with open_store(redis_url) as store:
        platform, background = MemoryPorts(), BackgroundTasks()
        ports = InboundPlatform(CAPABILITIES, platform, platform, platform, platform)
        presence = Presence(SURFACE, store.key_values, store.clock, "web-1")
        console = ConsoleLinks(store.key_values, store.clock, "http://127.0.0.1:3000", "secret")
        engine = InboundEngine(ports, store, Wakeups(), presence, background, console)
        await store.catalogue.announce("tests", [DEMO, GREETER])
        yield MemoryChat(store, platform, engine, background)
        await background.drain(1)
