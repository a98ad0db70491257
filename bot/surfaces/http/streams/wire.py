"""The encoding of events: done once, and shared by all transports and clients. Also what both feeds share."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from bot.core.events.event import Event, HumanInputRequired, RunCancelled, RunCompleted, RunFailed, encode

SSE_RETRY = b"retry: 2000\n"
"""Part of each SSE event: the reconnection delay in milliseconds.

Not a block of its own, because some clients treat that as an empty event.
"""
SSE_COMMENT = b":\n"
"""Keeps the connections of clients with a read timeout open.

A single line without an empty line after it, because some clients treat that as an event.
"""


FINAL_TEXT = 0x81
"""The first byte of a frame: a text, and all of it."""
SHORT_FRAME = 126
"""Shorter texts have their length in the second byte."""


def sse(name: str, data: bytes, cursor: str = "") -> bytes:
    """Encode an SSE event. Without a cursor, clients keep their last one."""
    head = f"id: {cursor}\nevent: {name}\n" if cursor else f"event: {name}\n"
    return b"".join((head.encode(), SSE_RETRY, b"data: ", data, b"\n\n"))


def chunk(block: bytes) -> bytes:
    """A chunk of HTTP/1.1's chunked encoding (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(block), block)


def text_frame(data: bytes) -> bytes:
    """A final, unmasked text frame (RFC 6455, 5.2)."""
    size = len(data)
    if size < SHORT_FRAME:
        head = struct.pack("!BB", FINAL_TEXT, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", FINAL_TEXT, 126, size)
    else:
        head = struct.pack("!BBQ", FINAL_TEXT, 127, size)
    return head + data


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

    @cached_property
    def sse_chunk(self) -> bytes:
        """`sse` as a chunk of HTTP's chunked encoding."""
        return chunk(self.sse)

    @cached_property
    def plain_sse_chunk(self) -> bytes:
        """`plain_sse` as a chunk of HTTP's chunked encoding."""
        return chunk(self.plain_sse)

    @cached_property
    def frame(self) -> bytes:
        """The message as a frame of a WebSocket, from the server."""
        return text_frame(self.data)


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
    public = event.public()
    return EventMessage(event.body.type, encode(public), public["event_id"], event.last, event)


def of_inbox(event: Event, cursor: str) -> EventMessage:
    """The message for an event in the stream of all runs, whose cursor is added to the event's fields."""
    return EventMessage(event.body.type, encode({**event.public(), "cursor": cursor}), cursor, event=event)


def control_message(kind: str, **fields: str) -> Message:
    """A message about the stream itself: `stream_reset`, `snapshot_complete`."""
    return Message(kind, encode({"type": kind, **fields}), fields.get("cursor", ""))


RESET = control_message("stream_reset")
"""The cursor is invalid or too old: all stored events follow."""
HEARTBEAT = control_message("heartbeat")


RECHECK_INTERVAL_S = 5.0
"""Seconds after which all followed runs are read even without a wake-up, in one batch per process."""
RETRY_DELAY_S = 0.5
"""The retry delay while the store is unavailable."""


Sink = Callable[[Message], bool]
"""Sends a message to one client at once; False if that is not possible now, and nothing was sent.

It must not wait: one event is sent to all clients of a run in turn, which takes a fraction of the time that
waking a task for each of them would.
"""


class Follower(Protocol):
    """The position of one client in a stream. It has no queue, so slow clients use no memory."""

    async def next(self, seconds: float) -> Sequence[Message]:
        """Wait for the next messages; none after `seconds`.

        Raises StoreUnavailable.
        """

    def send_directly(self, sink: Sink) -> None:
        """From now on messages may be handed to `sink` as they come; `next` has what it doesn't take."""


class ChangeNotifier:
    """Wakes all tasks that wait for the next change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()
        self._event.clear()

    async def wait(self, seconds: float) -> None:
        """Wait for the next change, for at most `seconds`."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
