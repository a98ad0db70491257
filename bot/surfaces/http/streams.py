"""What all streams share: where they read, who follows, and how they end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from bot.core import ids
from bot.core.ports import Runs, Store
from bot.core.run import Run
from bot.surfaces.http.auth import Caller
from bot.surfaces.http.inboxfeed import InboxFeed, InboxFollower
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.runfeed import RunFeed
from bot.surfaces.http.visibility import Visibility
from bot.surfaces.http.wire import RESET, Message


@dataclass(frozen=True)
class Pace:
    """How fast streams go, in seconds."""

    #: Silence after which SSE carries a comment: clients with a read timeout of 5 s must live.
    quiet: float = 3.0
    #: Between two heartbeats of SSE.
    heartbeat: float = 15.0
    #: Between two pings of a WebSocket; without a pong for half as long the client counts as gone.
    ping: float = 15.0
    #: Between two looks at whether the caller of a WebSocket may still follow.
    check: float = 5.0
    #: For how long a client may take nothing, with a full buffer, before it is cut off. It can come back.
    send_within: float = 20.0


def cut_off(request: web.Request) -> None:
    """End a connection whose client takes nothing any more, with what is still to be sent."""
    if request.transport is not None:
        request.transport.abort()


@dataclass(frozen=True)
class Streams:
    """The streams of this process."""

    store: Store
    runs: RunFeed
    inbox: InboxFeed
    #: Whether a caller may still follow: keys are revoked while streams are open.
    still: Callable[[Caller], Awaitable[bool]]
    visibility: Visibility
    pace: Pace = Pace()
    #: Streams and waiting polls that one key, or one person who has signed in, may have open.
    most_per_key: int = 100
    _open: set[asyncio.Task[Any]] = field(default_factory=set)
    _by_holder: Counter[str] = field(default_factory=Counter)

    def follow_all(self, caller: Caller) -> AbstractContextManager[InboxFollower]:
        """A way through the stream of all runs that this caller sees, to be opened."""
        return self.inbox.follow(self.visibility.of(caller))

    @contextmanager
    def entered(self, caller: Caller) -> Iterator[None]:
        """The current task serves a stream to this caller, while the block runs.

        Raises Problem (too_many_streams). The local person has no bound.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A stream is served by a task.")
        holder = caller.key.name if caller.key else caller.actor.principal
        if not caller.local and self._by_holder[holder] >= self.most_per_key:
            raise Problem(
                "too_many_streams",
                f"At most {self.most_per_key} streams and waiting polls may be open with one key.",
                headers={"Retry-After": "5"},
            )
        self._open.add(task)
        self._by_holder[holder] += 1
        try:
            yield
        finally:
            self._open.discard(task)
            self._by_holder[holder] -= 1
            if not self._by_holder[holder]:
                del self._by_holder[holder]

    def close(self) -> None:
        """End all streams, since the process stops; clients come back with their cursors."""
        for task in tuple(self._open):
            task.cancel()


class Opening(NamedTuple):
    """Where to begin in a run."""

    run: Run
    #: Behind event number `after`.
    after: int
    #: What is said before.
    first: tuple[Message, ...]

    @property
    def finished(self) -> bool:
        """The client has seen the run's last event."""
        return self.run.status.over and self.after >= self.run.seq


async def open_run(runs: Runs, run_id: str, cursor: str) -> Opening:
    """Begin behind the event `cursor`; with none at the first event. Raises NotFound."""
    run = await runs.get(run_id)
    if not cursor:
        return Opening(run, 0, ())
    seq = ids.event_seq(run_id, cursor)
    if seq is None or seq > run.seq:
        return Opening(run, 0, (RESET,))
    return Opening(run, seq, ())
