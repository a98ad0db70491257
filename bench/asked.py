"""A server with runs that wait for people, and all that it is asked: each call returns milliseconds."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import aiohttp

from bench.acknowledge import SECRET
from bench.puppet import AT_ONCE, concurrently
from bot.core import ids, starting
from bot.core.events.event import TaskStarted
from bot.core.people.actor import Actor
from bot.core.ports.lists import RunFilter
from bot.core.questions.question import Deadline, Question, QuestionKind
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim, Run
from bot.store.redis import RedisStore
from tests.loopback.slack import LoopbackSlack, sign
from tests.loopback.slack.payloads import slash_command
from tests.scenario.server import Server

CREW = Crew(name="bench_parked", title="Parked")
SOURCE = "bench"
LEASE_S = 3600.0
PAGE_SIZE = 50
PERSON, CHANNEL = "U0BENCH0", "C0BENCH0"
SETTLED_S = 1.0
"""After runs were parked: whoever sends has no more to do with them."""
CONNECTED_WITHIN_S = 60.0
Measure = Callable[[], Awaitable[float]]


@dataclass
class Asked:
    """A server that is connected to a Slack. All runs are of one person there, who also asks."""

    server: Server
    store: RedisStore
    session: aiohttp.ClientSession
    slack_url: str
    #: Never entered: it makes the payloads.
    _slack: LoopbackSlack = field(default_factory=LoopbackSlack)
    #: One of the runs, and one that a worker holds.
    _parked: str = ""
    _held: Claim | None = None
    _asked: int = 0
    #: The stream of all runs, and its newest cursor.
    _all: aiohttp.ClientResponse | None = None
    _cursor: str = ""

    @property
    def measures(self) -> dict[str, Measure]:
        return {
            # Pages of one size, however many there are.
            "GET /runs": lambda: self._got(f"/runs?limit={PAGE_SIZE}"),
            "GET /runs?active=true": lambda: self._got(f"/runs?active=true&limit={PAGE_SIZE}"),
            "GET /questions": lambda: self._got(f"/questions?limit={PAGE_SIZE}"),
            "GET /runs?status=running": lambda: self._got(f"/runs?status=running&limit={PAGE_SIZE}"),
            "GET /crews": lambda: self._got("/crews"),
            "/crew help": lambda: self._commanded("help"),
            "/crew list": lambda: self._commanded("list"),
            "/crew status": lambda: self._commanded("status"),
            "/crew status RUN": lambda: self._commanded(f"status {self._parked}"),
            "/crew cancel": lambda: self._commanded("cancel"),
            "/crew cancel RUN": self._cancelled,
            "/crew start": self._started,
            "event -> one client of its run": self._streamed,
            "question -> one client of all runs": self._told_of_all,
            "poll of all runs, nothing new": self._polled,
        }

    @property
    def person(self) -> Actor:
        return Actor(surface="slack", tenant=self._slack.workspace.team_id, user_id=PERSON, name="Ada")

    # ── what is asked ───────────────────────────────────────────────────────────────────────────────────

    async def _got(self, path: str) -> float:
        sent = time.perf_counter()
        async with self.session.get(self.server.url + path) as answer:
            said = await answer.text()
            took = _since(sent)
        assert answer.status == 200, said
        return took

    async def _commanded(self, words: str) -> float:
        user, channel = self._slack.person(PERSON).user, self._slack.add_channel(CHANNEL)
        line = f"{self.slack_url}/response/{uuid.uuid4().hex}"
        payload = slash_command(self._slack.workspace, user, channel, ("/crew", words), line)
        body = urlencode(payload).encode()
        headers = {**sign(SECRET, body), "Content-Type": "application/x-www-form-urlencoded"}
        sent = time.perf_counter()
        async with self.session.post(f"{self.server.url}/slack/events", data=body, headers=headers) as answer:
            text = await answer.text()
            took = _since(sent)
        assert answer.status == 200, text
        return took

    async def _started(self) -> float:
        took = await self._commanded(f"start {CREW.name}")
        [run] = await self.store.runs.list(RunFilter(requester=self.person.principal, limit=1))
        assert run.status.value == "queued", "an acknowledgement that started no run would be worth nothing"
        # As many live as before: the baseline is few runs.
        await self.store.runs.cancel(run.id, self.person)
        return took

    async def _cancelled(self) -> float:
        run = await self._new()
        took = await self._commanded(f"cancel {run.id}")
        assert (await self.store.runs.get(run.id)).status.over
        return took

    async def _streamed(self) -> float:
        """From the call that records an event until a client of its run has it."""
        assert self._held is not None
        claim, mark = self._held, uuid.uuid4().hex
        async with self.session.get(f"{self.server.url}/events/human-input/{claim.run.id}") as stream:
            await _until(stream, "data:")
            sent = time.perf_counter()
            recording = asyncio.create_task(self.store.events.append(claim, _told(claim, mark)))
            await _until(stream, mark)
            took = _since(sent)
            await recording
        return took

    async def _told_of_all(self) -> float:
        """From the call that asks until a client has the question who follows all runs."""
        assert self._held is not None
        assert self._all is not None
        sent, mark = time.perf_counter(), uuid.uuid4().hex
        asking = asyncio.create_task(self._ask(self._held, mark))
        self._cursor = await _until(self._all, mark) or self._cursor
        took = _since(sent)
        await asking
        return took

    async def _polled(self) -> float:
        return await self._got(f"/poll/human-input?last_event_id={quote(self._cursor)}")

    # ── growing ─────────────────────────────────────────────────────────────────────────────────────────

    async def hold(self) -> None:
        """A worker holds a run."""
        self._held = await self._claimed()

    async def follow(self) -> None:
        """A client follows all runs from now on."""
        if self._all is not None:
            self._all.close()
        path = f"{self.server.url}/events/human-input"
        self._all = await self.session.get(path, timeout=aiohttp.ClientTimeout(total=None))
        self._cursor = await _until(self._all, "snapshot_complete")

    async def _new(self, _: int = 0) -> Run:
        run, _ = await self.store.runs.start(starting.plan(CREW, {}, self.person, key=uuid.uuid4().hex))
        return run

    async def _claimed(self) -> Claim:
        """A new run, which we hold as a worker does."""
        await self._new()
        while True:
            # One shard after the other is looked at, so others may be faster everywhere.
            for claim in await self.store.queue.claim(SOURCE, [CREW.name], 1, LEASE_S):
                return claim

    async def _ask(self, claim: Claim, prompt: str) -> Question:
        self._asked += 1
        question = Question(
            id=ids.part_id(claim.run.id, "question", self._asked),
            run_id=claim.run.id,
            kind=QuestionKind.TEXT,
            prompt=prompt,
            policy=claim.run.approvers,
            deadline=Deadline(after=3600),
        )
        return await self.store.questions.ask(claim, question)

    async def park(self, many: int) -> None:
        """So many more runs live: each waits for an answer, and no worker holds it."""
        await concurrently(self._new, range(many))
        while many:
            claims = await self.store.queue.claim(SOURCE, [CREW.name], min(many, AT_ONCE), LEASE_S)
            await concurrently(self._park, claims)
            many -= len(claims)
        await asyncio.sleep(SETTLED_S)

    async def _park(self, claim: Claim) -> None:
        question = await self._ask(claim, "What next?")
        await self.store.queue.park(claim, [question.id])
        self._parked = claim.run.id

    async def announce(self, many: int) -> None:
        """Workers run so many crews."""
        others = [Crew(name=f"bench_crew_{number}", title=f"Crew {number}") for number in range(many - 1)]
        await self.store.catalogue.announce(SOURCE, [CREW, *others])
        await asyncio.sleep(SETTLED_S)


async def _until(stream: aiohttp.ClientResponse, mark: str) -> str:
    """Read a stream of events up to one with this mark; its cursor."""
    cursor = ""
    async with asyncio.timeout(CONNECTED_WITHIN_S):
        async for line in stream.content:
            text = line.decode()
            cursor = text.removeprefix("id: ").strip() if text.startswith("id: ") else cursor
            if mark in text:
                return cursor
    raise AssertionError(f"the stream has ended before {mark}")


def _since(sent: float) -> float:
    return (time.perf_counter() - sent) * 1000


def _told(claim: Claim, mark: str) -> TaskStarted:
    run_id = claim.run.id
    crew_id, task_id = ids.part_id(run_id, "crew"), ids.part_id(run_id, "task", 1)
    return TaskStarted(crew_id=crew_id, task_id=task_id, task=mark, number=1, total=1)
