"""One wake-up connection a process, fanned out to whoever waits in it.

The store is the truth: a signal says only that it is worth another look.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

from bot.core.event import Event
from bot.core.ports import EventReader

RECHECK_INTERVAL_S = 5.0
"""Seconds after which a waiter looks again although nothing woke it."""


def run_topic(run_id: str) -> str:
    """Something happened in this run."""
    return f"run:{run_id}"


def question_topic(question_id: str) -> str:
    """This question was settled."""
    return f"question:{question_id}"


def queue_topic(shard: int) -> str:
    """A run was queued in this shard."""
    return f"queue:{shard}"


def outbox_topic(surface: str, shard: int) -> str:
    """There is something to show on this surface."""
    return f"outbox:{surface}:{shard}"


CANCELLED_TOPIC = "cancelled"
"""Some run was taken from its worker: it was cancelled, or its lease ran out."""

Topics = set[str]


class Signal:
    """Set when one of the watched topics was woken; stays set until cleared."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        #: The topics that woke it since it was last cleared; empty after a reconnect.
        self.topics: Topics = set()

    def set(self, topics: Iterable[str]) -> None:
        self.topics.update(topics)
        self._event.set()

    def clear(self) -> Topics:
        """Clear it, before one looks, and return what had woken it."""
        topics, self.topics = self.topics, set()
        self._event.clear()
        return topics

    @property
    def woken(self) -> bool:
        """Whether it is set."""
        return self._event.is_set()

    async def wait(self, seconds: float = RECHECK_INTERVAL_S) -> bool:
        """Wait until woken or `seconds` have passed; False if nothing woke it."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Feed:
    """Who waits for what in this process."""

    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[Signal]] = defaultdict(set)

    @contextmanager
    def watch(self, *topics: str) -> Iterator[Signal]:
        """A signal for these topics, while the block runs."""
        signal = Signal()
        for topic in topics:
            self.add(signal, topic)
        try:
            yield signal
        finally:
            for topic in topics:
                self.drop(signal, topic)

    def add(self, signal: Signal, topic: str) -> None:
        """Wake the signal by this topic too, until it is dropped."""
        self._watchers[topic].add(signal)

    def drop(self, signal: Signal, topic: str) -> None:
        """Wake it by this topic no more."""
        self._watchers[topic].discard(signal)
        if not self._watchers[topic]:
            del self._watchers[topic]

    def wake(self, topics: Iterable[str]) -> None:
        for topic in topics:
            for signal in self._watchers.get(topic, ()):
                signal.set((topic,))

    def wake_all(self) -> None:
        for signals in self._watchers.values():
            for signal in signals:
                signal.set(())

    async def follow(self, events: EventReader) -> None:
        """Pass on the store's wake-ups, for ever."""
        async for topics in events.wakeups():
            if topics:
                self.wake(topics)
            else:
                self.wake_all()

    async def events(self, events: EventReader, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """A run's events after `after`, then live, until its last one.

        Raises NotFound, also when the run is forgotten meanwhile.
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
