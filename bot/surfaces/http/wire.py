"""The encoding of events: done once, and shared by all transports and clients."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from bot.core.event import Event, HumanInputRequired, RunCancelled, RunCompleted, RunFailed, encode

SSE_RETRY = b"retry: 2000\n"
"""Part of each SSE event: the reconnection delay in milliseconds.

Not a block of its own, because some clients treat that as an empty event.
"""
SSE_COMMENT = b":\n"
"""Keeps the connections of clients with a read timeout open.

A single line without an empty line after it, because some clients treat that as an event.
"""


def sse(name: str, data: bytes, cursor: str = "") -> bytes:
    """Encode an SSE event. Without a cursor, clients keep their last one."""
    head = f"id: {cursor}\nevent: {name}\n" if cursor else f"event: {name}\n"
    return b"".join((head.encode(), SSE_RETRY, b"data: ", data, b"\n\n"))


@dataclass(frozen=True)
class Message:
    """A message, encoded for all transports."""

    type: str
    data: bytes
    #: The cursor after this message.
    cursor: str = ""
    #: Whether this is the last message.
    last: bool = False

    @cached_property
    def sse(self) -> bytes:
        return sse(self.type, self.data, self.cursor)

    @cached_property
    def plain_sse(self) -> bytes:
        """The encoding for `/{run_id}/stream`, which uses other event names."""
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
    """The message for an event in its run's stream; the event's id is the cursor."""
    return EventMessage(event.body.type, encode(event.public()), event.id, event.last, event)


def of_inbox(event: Event, cursor: str) -> EventMessage:
    """The message for an event in the stream of all runs, whose cursor is added to the event's fields."""
    return EventMessage(event.body.type, encode({**event.public(), "cursor": cursor}), cursor, event=event)


def notice(kind: str, **fields: str) -> Message:
    """A message about the stream itself: `stream_reset`, `snapshot_complete`."""
    return Message(kind, encode({"type": kind, **fields}), fields.get("cursor", ""))


RESET = notice("stream_reset")
"""The cursor is invalid or too old: all stored events follow."""
HEARTBEAT = notice("heartbeat")


RECHECK_INTERVAL_S = 5.0
"""Seconds after which all followed runs are read even without a wake-up, in one batch per process."""
RETRY_DELAY_S = 0.5
"""The retry delay while the store is unavailable."""


class Follower(Protocol):
    """The position of one client in a stream. It has no queue, so slow clients use no memory."""

    async def next(self, seconds: float) -> Sequence[Message]:
        """Wait for the next messages; none after `seconds`.

        Raises StoreUnavailable.
        """


class Change:
    """Wakes all tasks that wait for the next change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()
        self._event.clear()

    async def wait(self, seconds: float) -> None:
        """Wait for the next change, for at most `seconds`."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
