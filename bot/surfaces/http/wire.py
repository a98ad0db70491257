"""The one encoder of events: what every transport carries, made once and shared by all who follow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from bot.core.event import Event, HumanInputRequired, RunCancelled, RunCompleted, RunFailed, encode

SSE_RETRY = b"retry: 2000\n"
"""In each SSE event: how many milliseconds a client waits before it comes back.

Not in a block of its own, which some clients take for an empty event.
"""
SSE_COMMENT = b":\n"
"""Keeps clients alive that give up after some seconds of silence.

One line, without an empty one behind it, which some clients take for an event.
"""


def sse(name: str, data: bytes, cursor: str = "") -> bytes:
    """An event of an event stream. Without a cursor the client keeps the one it had."""
    head = f"id: {cursor}\nevent: {name}\n" if cursor else f"event: {name}\n"
    return b"".join((head.encode(), SSE_RETRY, b"data: ", data, b"\n\n"))


@dataclass(frozen=True)
class Message:
    """One thing to send, whatever the transport."""

    type: str
    data: bytes
    #: Where a client that has seen this goes on.
    cursor: str = ""
    #: Nothing follows.
    last: bool = False

    @cached_property
    def sse(self) -> bytes:
        return sse(self.type, self.data, self.cursor)

    @cached_property
    def plain_sse(self) -> bytes:
        """The same for `/{run_id}/stream`, which has two names of its own."""
        return self.sse


@dataclass(frozen=True)
class EventMessage(Message):
    """An event of a run."""

    event: Event | None = None

    @property
    def seq(self) -> int:
        return self.event.seq if self.event else 0

    @cached_property
    def plain_sse(self) -> bytes:
        body = self.event.body if self.event else None
        match body:
            case HumanInputRequired():
                return sse("PROMPT", self.data, self.cursor)
            case RunCompleted():
                return sse("END", encode({"status": "completed", "result": body.result}), self.cursor)
            case RunFailed():
                error = body.error.model_dump(mode="json")
                return sse("END", encode({"status": "failed", "error": error}), self.cursor)
            case RunCancelled():
                return sse("END", encode({"status": "cancelled", "error": _cancelled(body)}), self.cursor)
            case _:
                return self.sse


def _cancelled(body: RunCancelled) -> dict[str, str]:
    by = f" by {body.cancelled_by}" if body.cancelled_by else ""
    return {"code": "cancelled", "message": f"The run was cancelled{by}."}


def of_run(event: Event) -> EventMessage:
    """An event as its run's streams carry it; its own id is the cursor."""
    return EventMessage(event.body.type, encode(event.public()), event.id, event.last, event)


def of_inbox(event: Event, cursor: str) -> EventMessage:
    """An event as the streams of all runs carry it: with their cursor beside the event's own fields."""
    return EventMessage(event.body.type, encode({**event.public(), "cursor": cursor}), cursor, event=event)


def notice(kind: str, **fields: str) -> Message:
    """Something about the stream itself: `stream_reset`, `snapshot_complete`."""
    return Message(kind, encode({"type": kind, **fields}), fields.get("cursor", ""))


RESET = notice("stream_reset")
"""The cursor was no good: everything that is still kept follows."""
HEARTBEAT = notice("heartbeat")


RECHECK_INTERVAL_S = 5.0
"""Seconds after which all that is followed is looked at although nothing woke us: one batch a process."""
RETRY_DELAY_S = 0.5
"""Seconds between two tries while the store is away."""


class Follower(Protocol):
    """One client's way through a stream: a position and no queue, so that a slow client costs nothing."""

    async def next(self, seconds: float) -> Sequence[Message]:
        """What follows, as soon as there is something; nothing if `seconds` have passed without.

        Raises StoreUnavailable.
        """


class Change:
    """Wakes everybody who waits for the next change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()
        self._event.clear()

    async def wait(self, seconds: float) -> None:
        """Until the next change, but `seconds` at most."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
