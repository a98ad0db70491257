"""Where runs and messages are on a chat platform, and how the store holds that. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.core.runs.place import Place


@dataclass(frozen=True)
class Conversation:
    """Where a message can be posted: a channel (or a person's direct messages), perhaps a thread in it."""

    channel: str
    thread: str | None = None


@dataclass(frozen=True)
class MessageRef:
    """A message of ours, as the store records it: `C1/1700.1`."""

    channel: str
    message_id: str

    @property
    def thread(self) -> Conversation:
        """The thread below this message."""
        return Conversation(self.channel, self.message_id)

    def encode(self) -> str:
        return f"{self.channel}/{self.message_id}"

    @classmethod
    def decode(cls, ref: str) -> MessageRef:
        """Raises ValueError."""
        channel, slash, message_id = ref.partition("/")
        if not slash or not channel or not message_id:
            raise ValueError(f"not a message: {ref!r}")
        return cls(channel, message_id)


@dataclass(frozen=True)
class ChatPlace:
    """Where a run lives. `thread` is None while the thread is still to be opened."""

    surface: str
    tenant: str
    channel: str
    thread: str | None = None

    @property
    def conversation(self) -> Conversation:
        return Conversation(self.channel, self.thread)

    def moved_to(self, where: Conversation) -> ChatPlace:
        """The place of the same run in another conversation."""
        return replace(self, channel=where.channel, thread=where.thread)

    def encode(self) -> Place:
        """The core's place; `decode` is its inverse."""
        return Place(
            surface=self.surface,
            tenant=self.tenant,
            ref=f"{self.channel}/{self.thread or ''}",
            group=group(self.surface, self.tenant, self.channel),
        )

    @classmethod
    def decode(cls, place: Place, surface: str) -> ChatPlace:
        """Raises ValueError if this is no place on that surface."""
        channel, slash, thread = place.ref.partition("/")
        if place.surface != surface or not slash:
            raise ValueError(f"not a place on {surface}: {place.key}")
        return cls(place.surface, place.tenant, channel, thread or None)


def group(surface: str, tenant: str, channel: str) -> str:
    """What lists of a channel's runs are filtered by."""
    return f"{surface}:{tenant}:{channel}"
