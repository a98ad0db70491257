"""Wake-ups within a process: one subscription to the store, distributed to all tasks that wait.

A signal only says that it is worth reading the store again; the state itself is in the store.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager

from bot.core.events.event import Event, PublishedEvent
from bot.core.ports.store import EventReader

RECHECK_INTERVAL_S = 5.0
"""Seconds after which a waiting task reads the store again even without a wake-up."""


def run_topic(run_id: str) -> str:
    """The topic of changes in a run."""
    return f"run:{run_id}"


def placed_topic(run_id: str) -> str:
    """The topic of a run that has its place: there is nothing to be read then."""
    return f"placed:{run_id}"


def question_topic(question_id: str) -> str:
    """The topic of a question's settlement."""
    return f"question:{question_id}"


def queue_topic(shard: int) -> str:
    """The topic of runs that are queued in a shard."""
    return f"queue:{shard}"


def outbox_topic(surface: str, shard: int) -> str:
    """The topic of pending events on a surface's shard."""
    return f"outbox:{surface}:{shard}"


CANCELLED_TOPIC = "cancelled"
"""The topic of runs that their workers have lost: cancelled, or with an expired lease."""

CREWS_TOPIC = "crews"
"""The topic of the catalogue."""

Topics = set[str]


class Signal:
    """Set when one of the watched topics was woken; stays set until it is cleared."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        #: The topics that woke it since it was last cleared; empty after a reconnect: any may have changed.
        self.topics: Topics = set()

    def set(self, topics: Iterable[str], events: Sequence[PublishedEvent] = ()) -> None:  # noqa: ARG002
        """Wake the task that waits. `events` came with the topics, so that they need not be read."""
        self.topics.update(topics)
        self._event.set()

    def clear(self) -> Topics:
        """Clear the signal, before reading the store; returns the topics that had set it."""
        topics, self.topics = self.topics, set()
        self._event.clear()
        return topics

    @property
    def woken(self) -> bool:
        """Whether a watched topic was woken since the last `clear`."""
        return self._event.is_set()

    async def wait(self, seconds: float = RECHECK_INTERVAL_S) -> bool:
        """Wait until woken or `seconds` have passed; False if nothing woke it."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Wakeups:
    """The subscriptions of this process."""

    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[Signal]] = defaultdict(set)

    @contextmanager
    def watch(self, *topics: str, signal: Signal | None = None) -> Iterator[Signal]:
        """A signal for these topics, while the block runs: a new one, or the given one."""
        signal = signal or Signal()
        for topic in topics:
            self.add(signal, topic)
        try:
            yield signal
        finally:
            for topic in topics:
                self.drop(signal, topic)

    def add(self, signal: Signal, topic: str) -> None:
        """Also wake the signal by this topic, until it is dropped."""
        self._watchers[topic].add(signal)

    def drop(self, signal: Signal, topic: str) -> None:
        """Stop waking the signal by this topic."""
        self._watchers[topic].discard(signal)
        if not self._watchers[topic]:
            del self._watchers[topic]

    def wake(self, topics: Iterable[str], events: Sequence[PublishedEvent] = ()) -> None:
        for topic in topics:
            for signal in self._watchers.get(topic, ()):
                signal.set((topic,), events)

    def wake_all(self) -> None:
        for signals in self._watchers.values():
            for signal in signals:
                signal.set(())

    async def follow(self, events: EventReader) -> None:
        """Distribute the store's wake-ups until cancelled."""
        async for wakeup in events.wakeups():
            if wakeup.topics:
                self.wake(*wakeup)
            else:
                self.wake_all()

    async def events(self, events: EventReader, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield a run's events after `after`, then new ones as they happen, until the last one.

        Raises NotFound, also if the run is deleted in the meantime.
        """
        with self.watch(run_topic(run_id)) as signal:
            while True:
                signal.clear()
                page = await events.read(run_id, after)
                for event in page:
                    after = event.seq
                    yield event
                    if event.last:
                        return
                if not page:
                    await signal.wait()
