"""What all streams share: where they read, who follows, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from bot.core.inbox import Batches, Inbox
from bot.core.ports import Events, Runs
from bot.surfaces.http.auth import Caller
from bot.surfaces.http.inboxfeed import InboxFeed
from bot.surfaces.http.runfeed import RunFeed

SEND_WITHIN = 20.0
"""Seconds for which a client may take nothing, with a full buffer, before it is cut off. It can come back."""


def cut_off(request: web.Request) -> None:
    """End a connection whose client takes nothing any more, with what is still to be sent."""
    if request.transport is not None:
        request.transport.abort()


class StreamStore(Runs, Events, Batches, Inbox, Protocol):
    """What streams read."""


@dataclass(frozen=True)
class Streams:
    """The streams of this process."""

    store: StreamStore
    runs: RunFeed
    inbox: InboxFeed
    #: Whether a caller may still follow: keys are revoked while streams are open.
    still: Callable[[Caller], Awaitable[bool]]
    _open: set[asyncio.Task[Any]] = field(default_factory=set)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The current task serves a stream, while the block runs."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A stream is served by a task.")
        self._open.add(task)
        try:
            yield
        finally:
            self._open.discard(task)

    def close(self) -> None:
        """End all streams, since the process stops; clients come back with their cursors."""
        for task in tuple(self._open):
            task.cancel()
