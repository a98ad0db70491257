"""The stream of question events of all runs: first a snapshot of the open questions, then live events.

One task reads new entries for all clients. A client that resumes first reads from the store itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bot.core.errors import StoreUnavailable
from bot.core.ports.inbox import Cursor, Entry, Inbox, Position, Positions, Ref, inbox_topic, was_trimmed
from bot.core.wakeups import Signal, Wakeups
from bot.surfaces.http.callers import CanView
from bot.surfaces.http.streams.wire import (
    RECHECK_INTERVAL_S,
    RESET,
    RETRY_DELAY_S,
    ChangeNotifier,
    EventMessage,
    Message,
    Sink,
    control_message,
    of_inbox,
)

MAX_KEPT_EVENTS = 1000
"""Entries that are kept in memory for clients that lag."""
PAGE_SIZE = 200
"""Entries per batch."""


class InboxFollower:
    """The position of one client in the stream of all runs."""

    def __init__(self, feed: InboxFeed, inbox: Inbox, sees: CanView | None) -> None:
        self._feed = feed
        self._inbox = inbox
        self._can_view = sees
        self._positions: list[Position] = []
        self._mark: tuple[Position, int] | None = None
        self._first: deque[Message] = deque()
        self._open: deque[Ref] = deque()
        self._snapshot = True
        #: The position in the shared entries; None while this client reads from the store itself.
        self._index: int | None = None

    async def open(self, text: str) -> None:
        """Move to the cursor `text`, or to a new snapshot if it is empty. Raises StoreUnavailable."""
        cursor = Cursor.decode(text, self._inbox.shards) if text else None
        if cursor is not None and not await self._was_issued(cursor.positions):
            cursor = None
        start = await self._inbox.trimmed()
        if cursor is not None and cursor.mark is None and not was_trimmed(cursor.positions, start):
            # It goes on where it was, however many questions are open.
            self._positions, self._snapshot = list(cursor.positions), False
            return
        now = await self._inbox.snapshot()
        if text and (cursor is None or was_trimmed(cursor.positions, start)):
            self._first.append(RESET)
            cursor = Cursor(start)
        self._begin(now.open, cursor or Cursor(now.positions))

    async def _was_issued(self, positions: Positions) -> bool:
        """Whether it is of this store: with one of another, whatever comes before it would be missed."""
        return self._feed.has_reached(positions) or await self._inbox.issued(positions)

    def _begin(self, waiting: Sequence[Ref], cursor: Cursor) -> None:
        self._positions = list(cursor.positions)
        self._open.extend(
            ref
            for ref in waiting
            if ref.at <= cursor.positions[ref.shard]
            and (cursor.mark is None or (ref.at, ref.shard) > cursor.mark)
        )

    def send_directly(self, sink: Sink) -> None:
        """Each client has cursors of its own and sees runs of its own, so its task does the work."""

    async def next(self, seconds: float) -> Sequence[Message]:
        messages = await self._next(seconds)
        if self._can_view is None:
            return messages
        return [message for message in messages if await self._shown(message, self._can_view)]

    async def _shown(self, message: Message, sees: CanView) -> bool:
        event = message.event if isinstance(message, EventMessage) else None
        return event is None or await sees(event)

    async def _next(self, seconds: float) -> Sequence[Message]:
        if self._first:
            return (self._first.popleft(),)
        if self._snapshot:
            return await self._next_open()
        if self._index is None:
            if self._feed.end is None:
                await self._feed.changed.wait(seconds)
            if found := await self._catch_up():
                return found
        if found := self._shared():  # Events that came while the client was catching up.
            return found
        await self._feed.changed.wait(seconds)
        return self._shared()

    async def _next_open(self) -> Sequence[Message]:
        refs = [self._open.popleft() for _ in range(min(PAGE_SIZE, len(self._open)))]
        messages: list[Message] = []
        for ref, event in await self._inbox.read(refs):
            self._mark = ref.at, ref.shard
            messages.append(of_inbox(event, self._cursor()))
        if not self._open:
            self._snapshot, self._mark = False, None
            messages.append(control_message("snapshot_complete", cursor=self._cursor()))
        return messages

    async def _catch_up(self) -> Sequence[Message]:
        """Read from the store; once there is nothing left, switch to the shared entries."""
        messages: Sequence[Message] = ()
        while not messages:
            end = self._feed.end
            refs = (await self._inbox.after(dict(enumerate(self._positions)), PAGE_SIZE))[:PAGE_SIZE]
            if not refs:
                self._index = end
                break
            messages = self._unsent(await self._inbox.read(refs))
            for ref in refs:  # includes entries of deleted runs
                self._positions[ref.shard] = max(self._positions[ref.shard], ref.at)
        return messages

    def _shared(self) -> Sequence[Message]:
        if self._index is None:
            return ()
        entries = self._feed.after(self._index)
        if entries is None:
            self._index = None
            return ()
        self._index += len(entries)
        return self._unsent(entries)

    def _unsent(self, entries: Sequence[Entry]) -> Sequence[Message]:
        messages = []
        for ref, event in entries:
            if ref.at > self._positions[ref.shard]:
                self._positions[ref.shard] = ref.at
                messages.append(of_inbox(event, self._cursor()))
        return messages

    def _cursor(self) -> str:
        return Cursor(tuple(self._positions), self._mark).encode()


class InboxFeed:
    """The newest entries, shared by all clients of this process."""

    def __init__(self, inbox: Inbox, wakeups: Wakeups) -> None:
        self._inbox = inbox
        self._entries: list[Entry] = []
        self._start = 0
        #: The position of the shared reader in each shard; empty while there are no clients.
        self._positions: dict[int, Position] = {}
        self._needed = asyncio.Event()
        self._woken = Signal()
        for shard in range(inbox.shards):
            wakeups.add(self._woken, inbox_topic(shard))
        self._followers = 0
        self.changed = ChangeNotifier()

    @property
    def end(self) -> int | None:
        """The index after the newest entry; None while the shared reader is idle."""
        return self._start + len(self._entries) if self._positions else None

    def has_reached(self, positions: Positions) -> bool:
        """Whether the shared reader is there already."""
        return bool(self._positions) and all(
            own <= self._positions[shard] for shard, own in enumerate(positions)
        )

    def after(self, index: int) -> Sequence[Entry] | None:
        """The entries from `index` on; None if they have been dropped."""
        return self._entries[index - self._start :] if index >= self._start else None

    @contextmanager
    def follow(self, sees: CanView | None = None) -> Iterator[InboxFollower]:
        """Register a client, which then has to be opened; with `sees`, it gets only runs that it may view."""
        self._followers += 1
        self._needed.set()
        self._woken.set(())
        try:
            yield InboxFollower(self, self._inbox, sees)
        finally:
            self._followers -= 1
            if not self._followers:
                self._needed.clear()
                self._positions = {}

    async def run(self) -> None:
        """Read entries for all clients until cancelled."""
        while True:
            await self._needed.wait()
            try:
                if not self._positions:
                    self._positions = dict(enumerate(await self._inbox.newest()))
                    self.changed.notify()
                await self._woken.wait(RECHECK_INTERVAL_S)
                self._woken.clear()
                await self._read(self._positions)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_DELAY_S)
                self._woken.set(())

    async def _read(self, positions: dict[int, Position]) -> None:
        """Read on from `positions`, unless all clients have left in the meantime."""
        more = bool(positions)
        while more:
            refs = await self._inbox.after(positions, PAGE_SIZE)
            entries = await self._inbox.read(refs) if refs else []
            if positions is not self._positions:
                return
            for ref in refs:
                positions[ref.shard] = max(positions[ref.shard], ref.at)
            self._keep(entries)
            more = len(refs) >= PAGE_SIZE

    def _keep(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        self._entries += entries
        gone = max(0, len(self._entries) - MAX_KEPT_EVENTS)
        del self._entries[:gone]
        self._start += gone
        self.changed.notify()
