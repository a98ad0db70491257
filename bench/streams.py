"""An event is recorded -> clients have it, beside a bare aiohttp server that fans out from memory.

And what the clients cost in memory. Recorded is the store's time of the event, for nothing else says when it
was there: whoever records it hears of that later, perhaps after the clients. The store counts whole
milliseconds, rounded down, and takes the time before the event is on disk: the flush, and up to one
millisecond too much, are in the figures. For one client, where that is most of it, a second line counts from
when the store had said that it is kept.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import psutil

from bench.deployment import ADA
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.peers.clients import TRANSPORTS, Transport
from bench.table import AtMostTimes, Figure, LessThan, Quantiles
from bot.core import ids, starting
from bot.core.events.event import Body, Event, RunStarted, TaskStarted, encode
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim
from bot.store.redis import RedisStore, open_store
from tests.scenario.server import Server

CREW = Crew(name="bench_told", title="Told")
FILES = 4096
"""Open files that a process may need: a connection is one."""
LEASE = 600.0
SETTLED = 0.01
"""Seconds between two events for one client."""
QUIET = 0.1
QUIET_SHARE = 0.1
"""Of `QUIET` seconds: a process is quiet that works for less. 1,000 clients always cost a little."""
QUIET_WITHIN = 5.0
ALONE_SHARE, CROWD_SHARE = 4, 50
"""Of so many samples, one event will do: there are many transports, and many clients make many samples."""


class Source(Protocol):
    """Somebody who tells clients of what happens in a run."""

    @property
    def url(self) -> str: ...

    @property
    def process(self) -> psutil.Process:
        """Who has the clients."""

    async def begin(self, mark: str) -> str:
        """Begin a run, with this mark in its first event; its id."""

    async def record(self, mark: str) -> float:
        """Record an event with this mark; when it was recorded, by the machine's clock."""


@dataclass
class CrewdeckStream:
    """Crewdeck's stream. We play the worker, in a process that has nothing else to do."""

    server: Server
    store: RedisStore
    _claim: Claim | None = None

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator[CrewdeckStream]:
        async with (
            Server.start({"CREWDECK_WORKERS": "0"}) as server,
            open_store(server.store_url) as store,
        ):
            yield cls(server, store)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def process(self) -> psutil.Process:
        return self.server.process

    async def begin(self, mark: str) -> str:
        crew = CREW.model_copy(update={"title": mark})
        await self.store.runs.start(starting.plan(crew, {}, ADA, key=uuid.uuid4().hex))
        [self._claim] = await self.store.queue.claim("bench", [crew.name], 1, LEASE)
        return self._claim.run.id

    async def record(self, mark: str) -> float:
        assert self._claim is not None
        event = await self.store.events.append(self._claim, _told(self._claim.run.id, mark))
        return event.at / 1000


@dataclass
class MemoryStream:
    """A peer that fans out from memory the bytes that Crewdeck would send."""

    peer: Peer
    url: str = ""
    _run_id: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    @asynccontextmanager
    async def starting(cls) -> AsyncIterator[MemoryStream]:
        """Perhaps not up yet."""
        async with Peer.started("memory") as peer:
            yield cls(peer)

    async def up(self) -> None:
        self.url = str((await self.peer.heard())["url"])

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.peer.process.pid)

    async def begin(self, mark: str) -> str:
        self._run_id, self._numbers = str(uuid.uuid4()), itertools.count(1)
        first = RunStarted(crew_id=self._run_id, crew=CREW.name, title=mark)
        await self.peer.ask(begin=self._message(first))
        return self._run_id

    async def record(self, mark: str) -> float:
        answer = await self.peer.ask(publish=self._message(_told(self._run_id, mark)))
        return float(answer["at"])

    def _message(self, body: Body) -> str:
        now = round(time.time() * 1000)
        event = Event(run_id=self._run_id, seq=next(self._numbers), at=now, body=body)
        return encode(event.public()).decode()


@dataclass(frozen=True)
class Audience:
    """The clients of a source, in a process of their own."""

    source: Source
    clients: Peer
    #: From when the source had said that the event is recorded, a round each.
    from_kept: list[list[float]] = field(default_factory=list)

    async def open(self, transport: Transport, many: int) -> None:
        mark = _mark()
        run_id = await self.source.begin(mark)
        where = {"url": self.source.url, "run_id": run_id}
        await self.clients.ask(open=transport, many=many, mark=mark, **where)
        await self.quiet()

    async def close(self) -> None:
        await self.clients.ask(close=True)
        await self.quiet()

    async def round(self, events: int) -> list[float]:
        """Milliseconds from the recording of each event to each client."""
        took: list[float] = []
        from_kept: list[float] = []
        for _ in range(events):
            mark = _mark()
            await self.clients.ask(expect=mark)
            recorded = await self.source.record(mark)
            kept = time.time()
            received = (await self.clients.heard())["received"]
            took += [(at - recorded) * 1000 for at in received]
            from_kept += [(at - kept) * 1000 for at in received]
            await (self.quiet() if len(received) > 1 else asyncio.sleep(SETTLED))
        self.from_kept.append(from_kept)
        return took

    async def quiet(self) -> None:
        """Until all clients surely wait: polls are asked anew after each event."""
        until = time.monotonic() + QUIET_WITHIN
        while time.monotonic() < until:
            before = _worked(self.source.process)
            await asyncio.sleep(QUIET)
            if _worked(self.source.process) - before <= QUIET * QUIET_SHARE:
                return

    @property
    def memory(self) -> float:
        """Megabytes that are resident."""
        return float(self.source.process.memory_info().rss / 2**20)


async def measure(effort: Effort) -> list[Figure]:
    _allow_files()
    figures = []
    for transport in TRANSPORTS:
        # Processes of their own: memory that clients of one transport took serves those of the next.
        async with AsyncExitStack() as stack:
            # All start at once.
            clients = [await stack.enter_async_context(Peer.started("clients")) for _ in range(2)]
            bare = await stack.enter_async_context(MemoryStream.starting())
            ours = await stack.enter_async_context(CrewdeckStream.started())
            await bare.up()
            for each in clients:
                await each.heard()
            both = Audience(ours, clients[0]), Audience(bare, clients[1])
            for many in effort.clients:
                figures += await _figures(effort, transport, many, *both)
    return figures


async def _figures(
    effort: Effort, transport: Transport, many: int, ours: Audience, bare: Audience
) -> list[Figure]:
    both = (ours, bare)
    before = [each.memory for each in both]
    for each in both:
        await each.open(transport, many)
        await each.round(1)
        each.from_kept.clear()
    events = max(1, effort.samples // (ALONE_SHARE if many == 1 else CROWD_SHARE))
    spreads = await taking_turns(effort, lambda: ours.round(events), lambda: bare.round(events))
    grown = [(each.memory - then) * 1024 / many for each, then in zip(both, before, strict=True)]
    for each in both:
        await each.close()
    whom = "1 client" if many == 1 else f"{many:,} clients"
    name = f"event recorded -> received, {transport}, {whom}"
    if many == 1:
        return [
            Figure(name, *spreads),
            Figure("  on disk -> received", Quantiles.of(ours.from_kept), spreads[1], aims=(AtMostTimes(2),)),
        ]
    return [
        Figure(name, *spreads, aims=(AtMostTimes(1.5), AtMostTimes(2, "p99"))),
        Figure("  memory a client", Quantiles(grown[0]), Quantiles(grown[1]), "KB", (LessThan(15),)),
    ]


def _told(run_id: str, mark: str) -> TaskStarted:
    """What a crew tells of a task."""
    return TaskStarted(
        crew_id=ids.part_id(run_id, "crew"),
        task_id=ids.part_id(run_id, "task"),
        agent_id=ids.part_id(run_id, "agent"),
        task=mark,
        agent="Librarian",
        number=1,
        total=2,
    )


def _mark() -> str:
    return f"mark {uuid.uuid4().hex}"


def _worked(process: psutil.Process) -> float:
    """Seconds of processor that a process has had."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _allow_files() -> None:
    """Let us, and so those whom we start, open as many files as this takes and the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
