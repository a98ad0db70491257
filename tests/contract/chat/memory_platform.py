"""A chat platform in memory: what delivery shows is kept as it was given, and faults are scripted."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.surfaces.chat.failures import Rejected, RejectionReason, RetryLater
from bot.surfaces.chat.messages import Limits, Message
from bot.surfaces.chat.places import Conversation, MessageRef
from bot.surfaces.chat.platform import Capabilities, Priority, SharedFile

#: Small enough that tests reach them.
LIMITS = Limits(
    message_units=8000,
    form_bytes=100_000,
    result_units=10_000,
    text_units=4000,
    list_units=3000,
    label_units=75,
    buttons=5,
    options=100,
    fields=50,
    rows=40,
)
CAPABILITIES = Capabilities(surface="memory", title="Memory", edit_interval_s=0.01, limits=LIMITS)


@dataclass(frozen=True)
class Shown:
    """A message as it stands now."""

    posted: MessageRef
    thread: str | None
    message: Message


@dataclass
class MemoryPlatform:
    """Implements ChatPlatform."""

    capabilities: Capabilities = CAPABILITIES
    #: In the order in which they were posted.
    shown: dict[MessageRef, Shown] = field(default_factory=dict)
    #: Name and content of files, by channel.
    files: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    #: Channels in which nothing can be posted any more.
    closed: set[str] = field(default_factory=set)
    #: What the next posts raise before they have an effect.
    refuse: list[Exception] = field(default_factory=list)
    #: How many of the next posts take effect and seem to have failed.
    lose_answers: int = 0
    #: Posts that have taken effect are answered once it is set.
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    #: Called before each post and each update; may raise.
    check: Callable[[str], None] = lambda _: None
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.answering.set()

    async def post(
        self, to: Conversation, message: Message, *, priority: Priority = Priority.NEWS
    ) -> MessageRef:
        del priority
        if to.channel in self.closed:
            raise Rejected("closed")
        if self.refuse:
            raise self.refuse.pop(0)
        self.check("post")
        posted = MessageRef(to.channel, f"m{next(self._ids)}")
        self.shown[posted] = Shown(posted, to.thread, message)
        if self.lose_answers:
            self.lose_answers -= 1
            raise RetryLater(0, "the answer was lost")
        await self.answering.wait()
        return posted

    async def update(
        self, at: MessageRef, message: Message, *, priority: Priority = Priority.DECISION
    ) -> None:
        del priority
        if at.channel in self.closed:
            raise Rejected("closed", RejectionReason.NOT_A_MEMBER)
        self.check("update")
        if at not in self.shown:
            raise Rejected("gone", RejectionReason.MESSAGE_GONE)
        self.shown[at] = replace(self.shown[at], message=message)

    def thread_of(self, posted: MessageRef) -> Conversation:
        return posted.thread

    async def open_direct(self, user_id: str) -> Conversation:
        return Conversation(f"direct-{user_id}")

    async def upload(self, to: Conversation, file: SharedFile, *, run_id: str) -> None:
        del run_id
        if to.channel in self.closed:
            raise Rejected("closed")
        self.files[to.channel].append((file.name, file.content.decode()))

    async def link_to(self, at: MessageRef) -> str:
        return f"memory://{at.encode()}"

    async def app_name(self) -> str:
        return "crewdeck"

    def share_rate_limits(self, processes: int) -> None:
        del processes

    def seconds_until_post(self, channel: str) -> float:
        del channel
        return 0.0

    async def wait_for_progress_capacity(self) -> None:
        return

    async def yield_to_acks(self) -> None:
        return
