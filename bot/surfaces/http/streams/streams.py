"""What all streaming transports share: feeds, limits, positions and shutdown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from bot.core import ids
from bot.core.errors import StoreUnavailable
from bot.core.ports.store import Runs, Store
from bot.surfaces.http.callers import Caller, Visibility
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.streams.inbox_feed import InboxFeed, InboxFollower
from bot.surfaces.http.streams.run_feed import RunFeed
from bot.surfaces.http.streams.wire import RESET, RETRY_DELAY_S, Follower, Message

SMALL_BYTES = 32 * 1024
"""What a client's empty buffer takes at once: half of what asyncio lets it hold."""


@dataclass(frozen=True)
class StreamTimings:
    """The timing of streams, in seconds."""

    #: Silence after which SSE sends a comment, for clients with a read timeout of 5 s.
    quiet: float = 3.0
    #: The interval of SSE heartbeats.
    heartbeat: float = 15.0
    #: The interval of WebSocket pings; a client without a pong for half of it counts as disconnected.
    ping: float = 15.0
    #: The interval at which the caller of a WebSocket is authenticated again.
    check: float = 5.0
    #: How long a client with a full buffer may read nothing before it is disconnected. It can resume.
    send_within: float = 20.0


def abort(request: web.Request) -> None:
    """Close the connection of a client that doesn't read, discarding the data in its buffer."""
    if request.transport is not None:
        request.transport.abort()


def send_now(request: web.Request, data: bytes) -> bool:
    """Send to a client past aiohttp's writer, which has sent the head; False if that would have to wait.

    Past it, because a task that waits for a client's buffer costs several times what sending does.
    """
    transport = request.transport
    if transport is None or transport.is_closing() or transport.get_write_buffer_size():
        return False
    transport.write(data)
    return True


def can_send_now(request: web.Request, size: int) -> bool:
    """Whether sending so many bytes will not have to wait for the client."""
    transport = request.transport
    return transport is not None and not transport.get_write_buffer_size() and size < SMALL_BYTES


def free_headers(response: web.StreamResponse) -> None:
    """Free the headers, which have been sent: a stream may be open for days."""
    response.headers.clear()


@dataclass(frozen=True)
class Streams:
    """The streams of this process."""

    store: Store
    runs: RunFeed
    inbox: InboxFeed
    #: Whether a caller is still authenticated: keys may be revoked while streams are open.
    still_valid: Callable[[Caller], Awaitable[bool]]
    visibility: Visibility
    timings: StreamTimings = StreamTimings()
    #: The limit of open streams and waiting polls per key, or per person with a session.
    most_per_key: int = 100
    _open: set[asyncio.Task[Any]] = field(default_factory=set)
    _by_holder: Counter[str] = field(default_factory=Counter)

    def follow_all(self, caller: Caller) -> AbstractContextManager[InboxFollower]:
        """Register a client of the stream of all runs that this caller may view."""
        return self.inbox.follow(self.visibility.of(caller))

    def entered(self, caller: Caller) -> AbstractContextManager[None]:
        """Register the current task as a stream of this caller during the block.

        Raises Problem (too_many_streams). The local user has no limit.
        """
        return _Entry(self, caller)

    def enter(self, caller: Caller) -> None:
        """Raises Problem (too_many_streams)."""
        holder = caller.rate_limit_key
        if not caller.local and self._by_holder[holder] >= self.most_per_key:
            raise Problem(
                "too_many_streams",
                f"At most {self.most_per_key} streams and waiting polls may be open with one key.",
                headers={"Retry-After": "5"},
            )
        self._open.add(_current_task())
        self._by_holder[holder] += 1

    def leave(self, caller: Caller) -> None:
        holder = caller.rate_limit_key
        self._open.discard(_current_task())
        self._by_holder[holder] -= 1
        if not self._by_holder[holder]:
            del self._by_holder[holder]

    def close(self) -> None:
        """Close all streams at shutdown; clients resume with their cursors."""
        for task in tuple(self._open):
            task.cancel()


class _Entry:
    """A class, since there is one for each client: a generator takes several times as much memory."""

    __slots__ = ("_caller", "_streams")

    def __init__(self, streams: Streams, caller: Caller) -> None:
        self._streams = streams
        self._caller = caller

    def __enter__(self) -> None:
        self._streams.enter(self._caller)

    def __exit__(self, *_: object) -> None:
        self._streams.leave(self._caller)


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("A stream is served by a task.")
    return task


class Opening(NamedTuple):
    """The starting position of a client in a run. A stream keeps it, so the run is no part of it."""

    #: The client has the events up to this number.
    after: int
    #: Messages to send first.
    first: tuple[Message, ...]
    #: Whether the client has the run's last event.
    finished: bool


async def open_run(runs: Runs, run_id: str, cursor: str) -> Opening:
    """The position after the event `cursor`, or before the first event. Raises NotFound."""
    run = await runs.get(run_id)
    seq = ids.event_seq(run_id, cursor) if cursor else 0
    known = seq is not None and seq <= run.seq
    after = seq if seq is not None and known else 0
    return Opening(after, () if known else (RESET,), finished=run.status.over and after >= run.seq)


async def next_messages(follower: Follower, seconds: float) -> Sequence[Message]:
    """What is new for a client, within so many seconds. Nothing while the store is away."""
    try:
        return await follower.next(max(0.0, seconds))
    except StoreUnavailable:
        await asyncio.sleep(RETRY_DELAY_S)
        return ()
