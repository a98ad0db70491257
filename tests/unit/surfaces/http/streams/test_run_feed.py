"""Events that wake-ups carry: taken as they come, and read from the store whenever one is missing."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.core.events.event import PublishedEvent
from bot.core.ports.store import Store
from bot.core.wakeups import Wakeups, run_topic
from bot.surfaces.http.streams.run_feed import SENDS_PER_TURN, WAKEUPS_PER_TURN, RunFeed, RunFollower
from bot.surfaces.http.streams.wire import EventMessage, Message

RUN = "8a1c9a3e-0e0c-5c35-9a0e-3f6f1d9b7c11"
OTHER = "0d3b7c1e-3f3a-5a55-8e0e-1c6f1d9b7c22"
TOPIC = run_topic(RUN)


@dataclass
class Reads:
    """A store of events that has none, and remembers for whom it was asked."""

    of: list[dict[str, int]] = field(default_factory=list)

    async def read_many(self, after: Mapping[str, int], limit: int = 500) -> dict[str, Any]:
        del limit
        self.of.append(dict(after))
        return {}


@dataclass(frozen=True)
class Following:
    """A feed of runs that works."""

    fed: Wakeups
    runs: RunFeed
    reads: Reads

    async def reads_since(self) -> list[dict[str, int]]:
        """What was read since it was last looked at."""
        for _ in range(5):
            await asyncio.sleep(0)
        found, self.reads.of[:] = list(self.reads.of), []
        return found


@pytest.fixture
async def following() -> AsyncIterator[Following]:
    fed, reads = Wakeups(), Reads()
    runs = RunFeed(cast("Store", SimpleNamespace(events=reads)), fed)
    running = asyncio.create_task(runs.run())
    yield Following(fed, runs, reads)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def published(seq: int, body: str | None = None, run_id: str = RUN) -> PublishedEvent:
    told = {"type": "run_changed", "crew_id": "c", "change": f"number {seq}"}
    return PublishedEvent(run_id, seq, 0, body or json.dumps(told))


async def seqs(follower: RunFollower) -> list[int]:
    return [message.seq for message in await follower.next(0)]


async def test_a_client_gets_what_was_published_without_a_read(following: Following) -> None:
    with following.runs.follow(RUN, 3) as follower:
        assert await following.reads_since() == [{RUN: 3}]
        following.fed.wake((TOPIC,), (published(4), published(5)))
        following.fed.wake((TOPIC,), (published(5), published(6)))
        assert await following.reads_since() == []
        assert await seqs(follower) == [4, 5, 6]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param((), id="none"),
        pytest.param((published(5),), id="one is missing before it"),
        pytest.param((published(4), published(6)), id="one is missing in between"),
        pytest.param((published(4, "{damaged"),), id="damaged"),
        pytest.param((published(4, "[]"),), id="no object"),
        pytest.param((published(4, run_id="another"),), id="of another run"),
    ],
)
async def test_what_is_missing_or_damaged_is_read(
    following: Following, events: tuple[PublishedEvent, ...]
) -> None:
    with following.runs.follow(RUN, 3) as follower:
        await following.reads_since()
        following.fed.wake((TOPIC,), events)
        assert await following.reads_since() == [{RUN: 3}]
        assert await seqs(follower) == []


async def test_a_new_connection_has_everything_read(following: Following) -> None:
    with following.runs.follow(RUN, 3), following.runs.follow(OTHER, 0):
        await following.reads_since()
        following.fed.wake_all()
        assert await following.reads_since() == [{RUN: 3, OTHER: 0}]


# ── sending directly ────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Client:
    """What one client was sent directly, as long as it takes something."""

    sent: list[int] = field(default_factory=list)
    takes: int = 1000

    def sink(self, message: Message) -> bool:
        if len(self.sent) >= self.takes:
            return False
        self.sent.append(cast("EventMessage", message).seq)
        return True


async def read_on(follower: RunFollower, found: list[int]) -> None:
    """What the client's task does: add to `found` what it gets, until it is cancelled."""
    while True:
        found += [message.seq for message in await follower.next(3600)]


@contextmanager
def reading(follower: RunFollower) -> Iterator[list[int]]:
    """What the client's task gets."""
    found: list[int] = []
    task = asyncio.create_task(read_on(follower, found))
    yield found
    task.cancel()


async def everybody_told() -> None:
    """The loop has had more turns than it takes to tell all clients."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_waits_is_sent_events_as_they_come_and_the_last_one_by_its_task(
    following: Following,
) -> None:
    client = Client()
    with following.runs.follow(RUN, 3) as follower:
        follower.send_directly(client.sink)
        following.fed.wake((TOPIC,), (published(4),))
        assert await seqs(follower) == [4]  # It did not wait.
        with reading(follower) as read:
            await asyncio.sleep(0)
            following.fed.wake((TOPIC,), (published(5), published(6)))
            following.fed.wake((TOPIC,), (published(7, '{"type": "run_completed", "result": "done"}'),))
            await everybody_told()
        assert read == [7]
        assert client.sent == [5, 6]


@pytest.mark.parametrize("takes", range(6))
async def test_whatever_a_client_takes_directly_it_gets_each_event_once_and_in_order(
    following: Following, takes: int
) -> None:
    client = Client(takes=takes)
    with following.runs.follow(RUN, 0) as follower, reading(follower) as read:
        follower.send_directly(client.sink)
        for seq in range(1, 7):
            await asyncio.sleep(0)
            following.fed.wake((TOPIC,), (published(seq),))
        assert client.sent == [*range(1, takes + 1)]
        await everybody_told()
        assert client.sent + read == [*range(1, 7)]


async def test_many_who_poll_are_woken_in_larger_turns(following: Following) -> None:
    with ExitStack() as stack:
        followers = [stack.enter_context(following.runs.follow(RUN, 0)) for _ in range(2 * WAKEUPS_PER_TURN)]
        polls = [asyncio.create_task(each.next(60)) for each in followers]
        await asyncio.sleep(0)
        following.fed.wake((TOPIC,), (published(1),))
        # In the first turn of the loop they are woken, in the second they answer.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sum(poll.done() for poll in polls) == WAKEUPS_PER_TURN
        assert [[event.seq for event in found] for found in await asyncio.gather(*polls)] == [[1]] * len(
            polls
        )


async def test_many_clients_are_told_in_turns_and_one_that_leaves_meanwhile_is_left_out(
    following: Following,
) -> None:
    clients = [Client() for _ in range(3 * SENDS_PER_TURN)]
    with ExitStack() as stack:
        followers = [stack.enter_context(following.runs.follow(RUN, 0)) for _ in clients]
        for follower, client in zip(followers, clients, strict=True):
            follower.send_directly(client.sink)
        read: list[int] = []
        tasks = [asyncio.create_task(read_on(each, read)) for each in followers]
        await asyncio.sleep(0)
        following.fed.wake((TOPIC,), (published(1),))
        following.fed.wake((TOPIC,), (published(2),))
        await asyncio.sleep(0)
        unnotified = [number for number, client in enumerate(clients) if not client.sent]
        assert len(unnotified) == len(clients) - SENDS_PER_TURN
        leaves = unnotified[0]
        tasks[leaves].cancel()
        await everybody_told()
        assert read == []
        for task in tasks:
            task.cancel()
        assert clients.pop(leaves).sent in ([], [1, 2])  # Perhaps it was told just before it left.
        assert all(client.sent == [1, 2] for client in clients)
