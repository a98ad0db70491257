"""What delivery needs of a chat platform: a port, which each platform's API client implements."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from bot.surfaces.chat.messages import Limits, Message
from bot.surfaces.chat.places import Conversation, MessageRef


class Priority(IntEnum):
    """The order of calls when the platform's rate limits don't allow all of them."""

    #: A person waits for it: an outcome, a question, an answer.
    DECISION = 0
    #: What the thread says besides.
    NEWS = 1
    #: The edits that show how far a run is, and overviews.
    PROGRESS = 2


@dataclass(frozen=True)
class SharedFile:
    """A file to be shared."""

    name: str
    content: bytes
    #: What people read above it.
    title: str
    #: Its id, if the store has it among the run's files.
    file_id: str = ""


@dataclass(frozen=True)
class Capabilities:
    """How a platform differs from others, as data."""

    #: Its name in the store: of places, actors, outboxes.
    surface: str
    #: Its name as people know it.
    title: str
    #: Seconds between two edits of one run's progress message, at least.
    edit_interval_s: float
    limits: Limits
    #: What lets the app into a conversation, as something to do; `{app}` is its name.
    admission: str = "Invite me"


class ChatPlatform(Protocol):
    """Its calls raise RetryLater (try again), Rejected (don't) or Unrenderable (say it more simply)."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def post(
        self, to: Conversation, message: Message, *, priority: Priority = Priority.NEWS
    ) -> MessageRef: ...

    async def update(
        self, at: MessageRef, message: Message, *, priority: Priority = Priority.DECISION
    ) -> None:
        """Replace one of our messages; what it held before is gone, buttons included."""

    def thread_of(self, posted: MessageRef) -> Conversation:
        """Where replies to this message are read."""

    async def open_direct(self, user_id: str) -> Conversation:
        """The direct messages with a person, and their thread where all of them are in one."""

    async def upload(self, to: Conversation, file: SharedFile, *, run_id: str) -> None:
        """Share a file of a run; in another way where the platform has no files in this conversation."""

    async def link_to(self, at: MessageRef) -> str:
        """The address of a message."""

    async def app_name(self) -> str:
        """What people call the app when they invite it."""

    # ── rate limits ─────────────────────────────────────────────────────────────────────────────────────

    def share_rate_limits(self, processes: int) -> None:
        """Divide the platform's rate limits by this number of processes, which includes this one."""

    def seconds_until_post(self, channel: str) -> float:
        """For how long a message to this channel would have to wait, as far as is known."""

    async def wait_for_progress_capacity(self) -> None:
        """Return when a progress edit could be made at once."""

    async def yield_to_acks(self) -> None:
        """Return when nobody waits for an acknowledgement."""
