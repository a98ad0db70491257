"""How much slower lists, commands and streams become with thousands of live runs, or hundreds of crews.

The baseline of each line is the same figure of a second server that has few of them, taken in turns.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp

from bench.acknowledge import SECRET, slack_settings
from bench.deployment import ADA
from bench.effort import Effort
from bench.peer import Peer
from bench.puppet import concurrently
from bench.table import Figure, Spread, Within
from bot.core import ids, starting
from bot.core.crew import Crew
from bot.core.event import TaskStarted
from bot.core.question import Deadline, Question, QuestionKind
from bot.core.run import Claim
from bot.store.redis import RedisStore, open_store
from tests.loopback.slack import LoopbackSlack, sign
from tests.loopback.slack.payloads import slash_command
from tests.scenario.server import Server

CREW = Crew(name="bench_parked", title="Parked")
SOURCE = "bench"
LEASE = 600.0
PAGE_SIZE = 50
WARM_UP = 5
TOLD = "The task of this benchmark."
PAUSE_S = 0.02
"""Between two requests: nothing queues behind another one."""
SETTLED_S = 1.0
FEW_CREWS, MANY_CREWS = 4, 200
RUNS_AIM, CREWS_AIM = (Within(1.3),), (Within(1.1),)
Measure = Callable[[], Awaitable[float]]


@dataclass
class Growing:
    """A server that is connected to a Slack, and whoever asks it something."""

    server: Server
    store: RedisStore
    session: aiohttp.ClientSession
    slack_url: str
    #: Never entered: it makes the payloads.
    _slack: LoopbackSlack = field(default_factory=LoopbackSlack)

    @property
    def measures(self) -> dict[str, Measure]:
        return {
            # Pages of one size, however many there are.
            "GET /runs": lambda: self._got(f"/runs?limit={PAGE_SIZE}"),
            "GET /questions": lambda: self._got(f"/questions?limit={PAGE_SIZE}"),
            "/crew list": lambda: self._commanded("list"),
            "/crew status": lambda: self._commanded("status"),
            "/crew start": lambda: self._commanded(f"start {CREW.name}"),
            "event -> received, SSE": self._streamed,
        }

    async def _got(self, path: str) -> float:
        sent = time.perf_counter()
        async with self.session.get(self.server.url + path) as answer:
            said = await answer.text()
            took = (time.perf_counter() - sent) * 1000
        assert answer.status == 200, said
        return took

    async def _commanded(self, words: str) -> float:
        workspace, user = self._slack.workspace, self._slack.person("U0BENCH0").user
        channel = self._slack.add_channel("C0BENCH0")
        said = ("/crew", words)
        line = f"{self.slack_url}/response/{uuid.uuid4().hex}"
        body = urlencode(slash_command(workspace, user, channel, said, line)).encode()
        headers = {**sign(SECRET, body), "Content-Type": "application/x-www-form-urlencoded"}
        sent = time.perf_counter()
        async with self.session.post(f"{self.server.url}/slack/events", data=body, headers=headers) as answer:
            text = await answer.text()
            took = (time.perf_counter() - sent) * 1000
        assert answer.status == 200, text
        return took

    async def _streamed(self) -> float:
        """Milliseconds from the call that records an event until a client of its run has it."""
        claim = await self.claimed()
        async with self.session.get(f"{self.server.url}/events/human-input/{claim.run.id}") as stream:
            async for line in stream.content:
                if line.startswith(b"data:"):
                    break
            sent = time.perf_counter()
            recording = asyncio.create_task(self.store.events.append(claim, _told(claim)))
            async for line in stream.content:
                if TOLD.encode() in line:
                    break
            took = (time.perf_counter() - sent) * 1000
            await recording
        return took

    # ── growing ─────────────────────────────────────────────────────────────────────────────────────────

    async def claimed(self) -> Claim:
        """A new run, which we hold as a worker does."""
        await self.store.runs.start(starting.plan(CREW, {}, ADA, key=uuid.uuid4().hex))
        while True:
            # One shard after the other is looked at, so others may be faster everywhere.
            for claim in await self.store.queue.claim(SOURCE, [CREW.name], 1, LEASE):
                return claim

    async def park(self, many: int) -> None:
        """So many more runs live: each waits for an answer, and no worker holds it."""

        async def one(_: int) -> None:
            claim = await self.claimed()
            question = Question(
                id=ids.part_id(claim.run.id, "question", 1),
                run_id=claim.run.id,
                kind=QuestionKind.TEXT,
                prompt="What next?",
                policy=claim.run.approvers,
                deadline=Deadline(after=3600),
            )
            await self.store.questions.ask(claim, question)
            await self.store.queue.park(claim, [question.id])

        await concurrently(one, range(many))
        await asyncio.sleep(SETTLED_S)

    async def announce(self, many: int) -> None:
        """Workers run so many crews."""
        others = [Crew(name=f"bench_crew_{number}", title=f"Crew {number}") for number in range(many - 1)]
        await self.store.catalogue.announce(SOURCE, [CREW, *others])
        await asyncio.sleep(SETTLED_S)


async def measure(effort: Effort) -> list[Figure]:
    few, *more = effort.live
    async with _growing() as growing, _growing() as small:
        for each in (growing, small):
            await each.announce(FEW_CREWS)
            await each.park(few)
        await _in_turns(growing, small, WARM_UP)
        await growing.announce(MANY_CREWS)
        crews = await _in_turns(growing, small, effort.samples)
        figures = _figures(f"{MANY_CREWS} crews beside {FEW_CREWS}", crews, CREWS_AIM)
        await growing.announce(FEW_CREWS)
        for before, many in zip(effort.live, more, strict=False):
            await growing.park(many - before)
            runs = await _in_turns(growing, small, effort.samples)
            figures += _figures(f"{many:,} live runs beside {few:,}", runs, RUNS_AIM)
    return figures


async def _in_turns(growing: Growing, small: Growing, samples: int) -> dict[str, tuple[Spread, Spread]]:
    """Every measure of both servers, one sample after the other."""
    both = growing.measures, small.measures
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in both[0]}
    for number in range(samples):
        for name, lists in took.items():
            for side in (0, 1) if number % 2 else (1, 0):
                await asyncio.sleep(PAUSE_S)
                lists[side].append(await both[side][name]())
    return {name: (Spread.of([ours]), Spread.of([theirs])) for name, (ours, theirs) in took.items()}


def _figures(what: str, found: dict[str, tuple[Spread, Spread]], aims: tuple[Within, ...]) -> list[Figure]:
    return [Figure(f"{name}, {what}", *spreads, aims=aims) for name, spreads in found.items()]


@asynccontextmanager
async def _growing() -> AsyncIterator[Growing]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Peer.started("slack", "1"))
        where = await slack.heard()
        settings = slack_settings(str(where["token"]), str(where["api_url"])) | {"CREWDECK_WORKERS": "0"}
        server = await stack.enter_async_context(Server.start(settings))
        store = await stack.enter_async_context(open_store(server.store_url))
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=server.bearer))
        yield Growing(server, store, session, str(where["api_url"]).removesuffix("/api/"))


def _told(claim: Claim) -> TaskStarted:
    run_id = claim.run.id
    crew_id, task_id = ids.part_id(run_id, "crew"), ids.part_id(run_id, "task", 1)
    return TaskStarted(crew_id=crew_id, task_id=task_id, task=TOLD, number=1, total=1)
