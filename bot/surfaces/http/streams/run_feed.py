"""Events of runs, read and encoded once per process, however many clients follow them.

Wake-ups mostly carry the events. One task reads the others for all followed runs: after a wake-up those of
the named runs, and every few seconds those of all, in batches. Each client reads from its run's channel at
its own pace. A channel is kept for some seconds after its last client has left, because polling clients
return at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from bot.core import ids
from bot.core.errors import NotFound, StoreUnavailable
from bot.core.events.event import Event, PublishedEvent
from bot.core.ports.store import Events, Store
from bot.core.wakeups import Signal, Wakeups, run_topic
from bot.surfaces.http.streams.wire import RECHECK_INTERVAL_S, RETRY_DELAY_S, EventMessage, Sink, of_run

MAX_KEPT_EVENTS = 500
"""Messages per channel that are kept for clients that lag; clients further behind read the store."""
BATCH_SIZE = 500
"""Runs per batch."""
PAGE_SIZE = 500
"""Events of one run per batch."""
SENDS_PER_TURN = 64
"""Clients to whom an event is sent without a pause: about a millisecond's work."""
WAKEUPS_PER_TURN = 256
"""Tasks that are woken without a pause. Who polls comes back at once with the next request: with much fewer,
those who are back would be served before those who still wait."""
IDLE_CHANNEL_TTL_S = 5.0
"""Seconds that a channel is kept after its last client has left."""


class Channel:
    """The newest events of one run, shared by its clients in this process."""

    def __init__(self, run_id: str, start: int) -> None:
        self.run_id = run_id
        #: The `seq` before the oldest message in the channel.
        self.start = start
        self.messages: list[EventMessage] = []
        self.followers: set[RunFollower] = set()
        #: Followers that have not been notified of the newest messages yet.
        self._unnotified: deque[RunFollower] = deque()
        #: When the last client left.
        self.left_at = 0.0

    @property
    def newest(self) -> int:
        return self.start + len(self.messages)

    @property
    def ended(self) -> bool:
        """Whether the newest message is the run's last event."""
        return bool(self.messages) and self.messages[-1].last

    def seq_of(self, cursor: str) -> int | None:
        """The `seq` of the event `cursor`; None if it isn't an event of this run."""
        if self.messages and self.messages[-1].cursor == cursor:
            return self.newest  # Most clients have the newest.
        return ids.event_seq(self.run_id, cursor)

    def after(self, seq: int) -> Sequence[EventMessage] | None:
        """The messages after `seq`; None if some of them are not in the channel."""
        return self.messages[seq - self.start :] if seq >= self.start else None

    def take(self, published: Sequence[PublishedEvent]) -> bool:
        """Add events that were published; False if something before them is missing, or they are damaged."""
        later = [event for event in published if event.seq > self.newest]
        if [event.seq for event in later] != list(range(self.newest + 1, self.newest + 1 + len(later))):
            return False
        try:
            events = [event.parse() for event in later]
        except (ValueError, LookupError, RecursionError):
            return False
        if events:
            self.add(events)
        return True

    def add(self, events: Iterable[Event]) -> None:
        self.messages += [of_run(event) for event in events if event.seq > self.newest]
        gone = max(0, len(self.messages) - MAX_KEPT_EVENTS)
        del self.messages[:gone]
        self.start += gone
        if not self._unnotified:
            asyncio.get_running_loop().call_soon(self._tell)
        self._unnotified = deque(self.followers)

    def _tell(self) -> None:
        """Tell clients, some at a time: whoever else has something to do has a turn in between."""
        sent = woken = 0
        while self._unnotified and sent < SENDS_PER_TURN and woken < WAKEUPS_PER_TURN:
            if self._unnotified.popleft().notify():
                sent += 1
            else:
                woken += 1
        if self._unnotified:
            asyncio.get_running_loop().call_soon(self._tell)


class RunFollower:
    """The position of one client in a run, from entering to leaving the block."""

    __slots__ = ("_after", "_channel", "_sink", "_store", "_waiting")

    def __init__(self, store: Events, channel: Channel, after: int) -> None:
        self._store = store
        self._channel = channel
        self._after = after
        self._sink: Sink | None = None
        #: While the client has all events: what wakes its task.
        self._waiting: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._channel.followers.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.followers.discard(self)
        self._channel.left_at = time.monotonic()

    def send_directly(self, sink: Sink) -> None:
        self._sink = sink

    async def next(self, seconds: float) -> Sequence[EventMessage]:
        found = self._channel.after(self._after)
        if found is None:
            found = await self._read()
        elif not found and seconds > 0:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(seconds, _release, self._waiting)
            try:
                await self._waiting
            finally:
                timer.cancel()
                self._waiting = None
            found = self._channel.after(self._after) or ()
        if found:
            self._after = found[-1].seq
        return found

    def notify(self) -> bool:
        """There is something new: send it, or have the task do so. The last event is left to the task.

        Returns whether something was sent.
        """
        if self._waiting is None:
            return False
        before = self._after
        for message in self._channel.after(self._after) or ():
            if self._sink is None or message.last or not self._sink(message):
                break
            self._after = message.seq
        if self._after < self._channel.newest and not self._waiting.done():
            self._waiting.set_result(None)
        return self._after > before

    async def _read(self) -> Sequence[EventMessage]:
        run_id = self._channel.run_id
        if events := await self._store.read(run_id, self._after, PAGE_SIZE):
            return [of_run(event) for event in events]
        raise NotFound("run", run_id)  # it was deleted in the meantime


def _release(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class _UnreadSignal(Signal):
    """Set by what has to be read. Also records whether any topic may have changed."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        super().__init__()
        self._channels = channels
        self.everything = False

    def set(self, topics: Iterable[str], events: Sequence[PublishedEvent] = ()) -> None:
        unread = [topic for topic in topics if not self._take(topic, events)]
        if events and not unread:
            return
        self.everything = self.everything or not unread
        super().set(unread)

    def _take(self, topic: str, events: Sequence[PublishedEvent]) -> bool:
        """Whether the channel of this topic has all its events by now."""
        published = [event for event in events if run_topic(event.run_id) == topic]
        channel = self._channels.get(published[0].run_id) if published else None
        return channel is not None and channel.take(published)


class RunFeed:
    """The channels of this process."""

    def __init__(self, store: Store, wakeups: Wakeups) -> None:
        self._store = store
        self._wakeups = wakeups
        self._channels: dict[str, Channel] = {}
        self._woken = _UnreadSignal(self._channels)

    def follow(self, run_id: str, after: int) -> RunFollower:
        """A client that reads the run's events after number `after`. To be entered at once."""
        return RunFollower(self._store.events, self._open(run_id, after), after)

    def behind(self, run_id: str, cursor: str) -> int | None:
        """The `seq` of the event `cursor` if all later events are, or will be, in a channel.

        None if only the store can tell whether the run, the event or later events exist.
        """
        channel = self._channels.get(run_id)
        if channel is None:
            return None
        seq = channel.seq_of(cursor)
        if seq is None or not channel.start <= seq <= channel.newest:
            return None
        return None if channel.ended and seq == channel.newest else seq

    def _open(self, run_id: str, after: int) -> Channel:
        channel = self._channels.get(run_id)
        if channel is None:
            channel = self._channels[run_id] = Channel(run_id, after)
            self._wakeups.add(self._woken, run_topic(run_id))
            self._woken.set((run_topic(run_id),))
        return channel

    async def run(self) -> None:
        """Read events for all clients until cancelled."""
        while True:
            woken = await self._woken.wait(RECHECK_INTERVAL_S)
            everything, self._woken.everything = self._woken.everything or not woken, False
            topics = self._woken.clear()
            self._drop_left()
            due = [c for c in self._channels.values() if everything or run_topic(c.run_id) in topics]
            try:
                for first in range(0, len(due), BATCH_SIZE):
                    await self._read(due[first : first + BATCH_SIZE])
            except StoreUnavailable:
                await asyncio.sleep(RETRY_DELAY_S)
                self._woken.set(())

    def _drop_left(self) -> None:
        """Drop channels that have had no clients for a while."""
        long_ago = time.monotonic() - IDLE_CHANNEL_TTL_S
        for channel in tuple(self._channels.values()):
            if not channel.followers and channel.left_at < long_ago:
                self._wakeups.drop(self._woken, run_topic(channel.run_id))
                del self._channels[channel.run_id]

    async def _read(self, channels: list[Channel]) -> None:
        pages = await self._store.events.read_many(
            {channel.run_id: channel.newest for channel in channels}, PAGE_SIZE
        )
        for channel in channels:
            if page := pages.get(channel.run_id):
                channel.add(page)
                if len(page) == PAGE_SIZE:
                    self._woken.set((run_topic(channel.run_id),))
