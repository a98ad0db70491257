"""A storm: runs are started, followed and answered while everything is killed, stopped and cut at random."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import aiohttp
import redis
import redis.asyncio

from bot.core import ids
from bot.store import redis_keys
from bot.tasks import run_alongside
from tests.faults.chaos.deployment import KEY, REDIS, ChaosDeployment
from tests.faults.chaos.invariants import ENDED, GAPLESS, Invariants
from tests.faults.chaos.patience import patiently
from tests.faults.chaos.people import People, Walk, all_rewritten
from tests.faults.chaos.programs import Programs
from tests.faults.chaos.servers import RedisServer
from tests.fork_server.client import SERVE, WORKER, ForkServer
from tests.waiting import WITHIN

LEASE = "3"
LIVE = 8
"""Runs under way at the same time, at most."""
DEATHS = 2
"""A run that so many workers have lost at the same point is given up when the next one dies: by design."""


@dataclass
class Storm:
    """`async with Storm.brewing(...) as storm: await storm.rage(60); await storm.calm()`."""

    deployment: ChaosDeployment
    people: People
    programs: Programs
    invariants: Invariants
    seed: random.Random
    #: What was done how often.
    done: Counter[str] = field(default_factory=Counter)
    _marks: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _followers: list[asyncio.Task[None]] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @asynccontextmanager
    async def brewing(
        cls, folder: Path, fork_server: ForkServer, make_server: Callable[[Path], RedisServer], seed: int
    ) -> AsyncIterator[Self]:
        """Two web processes with Slack and HTTP, three workers, and a Redis; ready for runs."""
        async with (
            ChaosDeployment.running(folder, fork_server, make_server) as deployment,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
        ):
            people = People(deployment, random.Random(f"people {seed}"))
            programs = Programs(deployment, people, session)
            storm = cls(deployment, people, programs, Invariants(deployment, people), random.Random(seed))
            for kind, command, many in (("web", SERVE, 2), ("worker", WORKER, 3)):
                for number in range(many):
                    window = str(storm.seed.choice([0.2, 1.0]))
                    name = f"{kind}-{number}"
                    await asyncio.to_thread(
                        deployment.add, name, command, None, CREWDECK_HOT_WINDOW=window, CREWDECK_LEASE=LEASE
                    )
            async with run_alongside(people.attend(), people.redeliver()):
                for _ in itertools.count():
                    if "walk" in await deployment.store.catalogue.crews():
                        break
                    await asyncio.sleep(0.1)
                yield storm
                for follower in storm._followers:
                    follower.cancel()
                await asyncio.gather(*storm._followers, return_exceptions=True)

    async def rage(self, seconds: float) -> None:
        """Runs are started, and things die, for so long at least: until everything has happened once."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_runs(until))
            group.create_task(self._kill(until))

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────

    async def _start_runs(self, until: float) -> None:
        chosen = random.Random(self.seed.random())
        while time.monotonic() < until:
            if sum(not walk.over for walk in self.people.walks.values()) < LIVE:
                await self._start_run(chosen)
            await asyncio.sleep(chosen.uniform(0.1, 0.6))
            await self._look()

    async def _start_run(self, chosen: random.Random) -> None:
        mark = f"s{next(self._marks)}"
        slow = chosen.choice([0.0, 0.0, 0.3, 1.5])
        if chosen.random() < 0.6:
            self.done["runs started in Slack"] += 1
            walk = await self.people.start(mark, seconds=slow)
        else:
            self.done["runs started over HTTP"] += 1
            walk = await self.programs.start(mark, slow)
        following = self._follow(walk, contrary=chosen.random() < 0.3)
        self._followers.append(asyncio.create_task(following))

    async def _follow(self, walk: Walk, *, contrary: bool) -> None:
        while not walk.run_id:
            await patiently(self.invariants.learn)
            await asyncio.sleep(0.2)
        await self.programs.follow(walk, contrary=contrary)

    async def _look(self) -> None:
        """Which runs are over."""
        for walk in self.people.walks.values():
            if walk.run_id and not walk.over:
                walk.over = (
                    await patiently(partial(self.deployment.store.runs.get, walk.run_id))
                ).status.over

    # ── disasters ───────────────────────────────────────────────────────────────────────────────────────

    async def _kill(self, until: float) -> None:
        disasters: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._kill_worker, 8),
            (self._kill_web, 3),
            (self._kill_redis, 2),
            (self._stop_somebody, 3),
            (self._cut_wake_ups, 3),
        ]
        chosen, weights = zip(*disasters, strict=True)
        first = self.seed.sample(chosen, len(chosen))  # Each of them happens, however long they take.
        while first or time.monotonic() < until:
            await asyncio.sleep(self.seed.uniform(0.2, 1.0))
            disaster = first.pop() if first else self.seed.choices(chosen, weights)[0]
            await disaster()

    async def _kill_worker(self) -> None:
        if await self._weakened():
            self.done["workers spared, for a run that two had died of"] += 1
            return
        self.done["SIGKILL of a worker"] += 1
        await self.deployment.kill(self.seed.choice(self.deployment.named(WORKER)))

    async def _kill_web(self) -> None:
        self.done["SIGKILL of a web process"] += 1
        await self.deployment.kill(self.seed.choice(self.deployment.named(SERVE)))

    async def _kill_redis(self) -> None:
        self.done["SIGKILL of Redis"] += 1
        await self.deployment.kill(REDIS)

    async def _stop_somebody(self) -> None:
        """SIGSTOP, for less or more than a lease, and SIGCONT."""
        if await self._weakened():
            return
        name = self.seed.choice(list(self.deployment.slots))
        self.done["SIGSTOP and SIGCONT"] += 1
        self.invariants.stopped.add(self.deployment.slots[name].pid)
        self.deployment.signal(name, signal.SIGSTOP)
        await asyncio.sleep(self.seed.choice([0.3, 1.0, 2.5]))
        self.deployment.signal(name, signal.SIGCONT)

    async def _cut_wake_ups(self) -> None:
        self.done["wake-up connections cut"] += 1
        with suppress(redis.ConnectionError):
            async with self._client() as client:
                await client.client_kill_filter(_type="pubsub")

    async def _weakened(self) -> bool:
        """Whether some run would be given up if one more worker died."""
        with suppress(redis.ConnectionError):
            async with self._client() as client:
                live = [walk.run_id for walk in self.people.walks.values() if walk.run_id and not walk.over]
                deaths = [int(await client.hget(redis_keys.run(each), "crash_count") or 0) for each in live]
                return max(deaths, default=0) >= DEATHS
        return True

    def _client(self) -> redis.asyncio.Redis:
        return redis.asyncio.Redis(unix_socket_path=str(self.deployment.server.socket))

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────────────

    async def calm(self) -> None:
        """Let everything end, and look at all of it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN):
                await self._all_over()
        await self.invariants.audit()
        await self._compare_followers()

    async def _all_over(self) -> None:
        walks = self.people.walks.values()
        while not all(walk.over and all_rewritten(self.deployment, walk) for walk in walks):
            await self._look()
            await asyncio.sleep(0.2)
        await asyncio.wait(self._followers)

    async def _compare_followers(self) -> None:
        """Followers have what the store has, in its order, whichever processes they followed it on."""
        for follower in self._followers:
            failed = follower.done() and not follower.cancelled() and follower.exception()
            self.invariants.expect(ENDED, not failed, f"a follower failed: {failed!r}")
        for run_id, followed in self.programs.followed.items():
            stored = [
                (ids.event_id(run_id, event.seq), event.seq)
                for event in await self.deployment.store.events.read(run_id)
            ]
            self.invariants.expect(GAPLESS, followed == stored, f"{run_id} was followed as {followed}")

    def report(self) -> str:
        """What was done, and what held."""
        happened = "\n".join(f"  {times:4} x {what}" for what, times in sorted(self.done.items()))
        more = {
            "answers, each given twice": self.people.answers,
            "answers that contradicted others": self.programs.conflicts,
            "requests and presses made again, since nobody took them": self.people.repeated,
            "streams taken up again": self.programs.reconnects,
            "calls made again that nobody had lived to record": self.invariants.again,
            "messages posted twice that nobody had lived to record": self.invariants.copies,
        }
        besides = "\n".join(f"  {times:4} x {what}" for what, times in more.items())
        return f"{happened}\n{besides}\n{self.invariants.report()}"
