"""What thousands of parked runs cost, and how long it takes when all of them are answered at once."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil
from redis.asyncio import Redis

from bench.deployment import ADA, Deployment, deployed, until
from bench.effort import Effort
from bench.peer import Peer
from bench.puppet import Puppet, concurrently
from bench.table import Figure, LessThan, Quantiles
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action, Question
from bot.core.questions.response import make_response
from bot.core.runs.run import Run, RunStatus
from bot.store import redis_keys

SLOTS = 8
"""Runs that the worker holds at once: all of them wait at a gate while the puppet parks runs."""
SETTINGS = {"CREWDECK_HOT_WINDOW": "0", "CREWDECK_RUNS_PER_WORKER": str(SLOTS)}
OWN = 16
"""Runs that the worker parks itself."""
SETTLED = 1.0
"""Seconds until what parking took is given back."""
WITHIN = 120.0
FINISHED_WITHIN = 3600.0
BARE_CREWS = 20
"""How many crews tell what one costs."""


@dataclass(frozen=True)
class IdleCost:
    """What a worker and a web process cost that have nothing to do: megabytes, and percent of a processor."""

    memory: float
    worker: float
    web: float

    @classmethod
    async def seen(cls, running: Deployment, seconds: float) -> IdleCost:
        await asyncio.sleep(SETTLED)
        worker, web = running.worker, running.server.process
        before = _busy(worker), _busy(web)
        await asyncio.sleep(seconds)
        worked, served = (
            100 * (_busy(each) - b) / seconds for each, b in zip((worker, web), before, strict=True)
        )
        return cls(worker.memory_info().rss / 2**20, worked, served)


@dataclass(frozen=True)
class Parking:
    """Parks runs, in the hands of the worker and in those of a puppet."""

    running: Deployment
    redis: Redis

    async def by_worker(self, many: int) -> list[Run]:
        """Started, executed and parked by the real worker."""
        started = [await self.running.start("bench_asks") for _ in range(many)]

        async def all_parked() -> bool:
            return all(
                [await self.redis.hget(redis_keys.run(run.id), "state") == b"parked" for run in started]
            )

        await until(all_parked, WITHIN)
        return started

    async def by_puppet(self, puppet: Puppet, many: int) -> None:
        """Parked while the worker has no room for them."""
        async with self._worker_full():
            await concurrently(lambda _: self.running.start("bench_asks"), range(many))
            await puppet.park_all(many)

    @asynccontextmanager
    async def _worker_full(self) -> AsyncIterator[None]:
        gate = self.running.folder / "gate"
        os.mkfifo(gate)
        waiting = [await self.running.start("bench_blocked", gate=str(gate)) for _ in range(SLOTS)]

        async def all_taken() -> bool:
            now = [await self.running.store.runs.get(run.id) for run in waiting]
            return all(run.status is RunStatus.RUNNING for run in now)

        await until(all_taken, WITHIN)
        yield
        await asyncio.to_thread(gate.write_text, "open")
        for run in waiting:
            await self.running.completed(run)

    async def used(self) -> int:
        """Bytes that all in Redis takes."""
        return int((await self.redis.info("memory"))["used_memory"])

    async def bare(self, payload: str, many: int) -> tuple[float, float]:
        """Of so many bare strings in the same Redis: KB for each, and seconds to write them all."""
        before, began = await self.used(), time.monotonic()
        await concurrently(lambda number: self.redis.set(f"bench:{number}", payload), range(many))
        took, grown = time.monotonic() - began, await self.used() - before
        await self.redis.delete(*(f"bench:{number}" for number in range(many)))
        return grown / many / 1024, took


async def measure(effort: Effort) -> list[Figure]:
    many, most = effort.parked, min(effort.finished, effort.parked)
    async with (
        Peer.started("crew") as peer,
        deployed(SETTINGS) as running,
        Redis.from_url(running.server.store_url) as redis,
    ):
        await peer.heard()
        parking = Parking(running, redis)
        warm = await parking.by_worker(OWN)
        await _finished(running, await _answered(running, warm), OWN)
        before = await IdleCost.seen(running, effort.idle_seconds)
        own = await parking.by_worker(OWN)
        puppet = await Puppet.like(running.store, own[0])
        used = await parking.used()
        await parking.by_puppet(puppet, many - OWN)
        a_run = (await parking.used() - used) / (many - OWN) / 1024
        after = await IdleCost.seen(running, effort.idle_seconds)
        payload, writes = await parking.bare(puppet.payload, many)
        crews = await peer.ask(many=BARE_CREWS, crew="asks", inputs={"questions": 1})
        a_crew = sum(crews["milliseconds"]) / BARE_CREWS / 1000
        accepted, finished = await _all_answered(running, most)
    return [
        *_idle(f"{many:,} runs parked", after, before),
        Figure("Redis: a parked run, beside its payload", Quantiles(a_run), Quantiles(payload), "KB"),
        Figure("  beyond the payload", Quantiles(a_run - payload), unit="KB", aims=(LessThan(10),)),
        Figure(f"{many:,} answered at once -> all accepted", Quantiles(accepted), Quantiles(writes), "s"),
        Figure(f"  -> {most:,} finished, one worker", Quantiles(finished), Quantiles(a_crew * most), "s"),
    ]


def _idle(what: str, now: IdleCost, before: IdleCost) -> list[Figure]:
    grown = now.memory - before.memory
    return [
        Figure(f"memory of the worker, {what}", Quantiles(now.memory), Quantiles(before.memory), "MB"),
        Figure("  grown", Quantiles(grown), unit="MB", aims=(LessThan(20),)),
        Figure(
            f"processor of the worker, {what}",
            Quantiles(now.worker),
            Quantiles(before.worker),
            "%",
            (LessThan(2),),
        ),
        Figure(
            f"processor of the web process, {what}",
            Quantiles(now.web),
            Quantiles(before.web),
            "%",
            (LessThan(2),),
        ),
    ]


async def _all_answered(running: Deployment, most: int) -> tuple[float, float]:
    """Seconds until all that is open was answered, and until so many of the runs had finished."""
    # Only now: answers are looked for in pages, which isn't what is measured.
    waiting = [each async for each in _open(running)]
    done = await _completed(running)
    began = time.monotonic()
    await concurrently(lambda each: _answer(running, each), waiting)
    accepted = time.monotonic() - began
    await _finished(running, done, most)
    finished = time.monotonic() - began
    totals = await running.store.health.totals()
    assert not totals.questions_open, "a revived run has asked again"
    assert not totals.runs.get(RunStatus.FAILED), "a revived run has failed"
    return accepted, finished


async def _answered(running: Deployment, runs: Iterable[Run]) -> int:
    """Answer these runs; how many had been completed before."""
    done = await _completed(running)
    for run in runs:
        [question] = await running.store.questions.list(run.id)
        await _answer(running, question)
    return done


async def _answer(running: Deployment, question: Question) -> None:
    said = make_response(Action.RESPOND, ADA, key=question.id, comment="yes")
    ruling = await running.store.questions.respond(question.run_id, question.id, said)
    assert ruling.verdict is Verdict.SETTLED


async def _open(running: Deployment) -> AsyncIterator[Question]:
    after = None
    while True:
        page = await running.store.questions.open_page(after=after)
        for question in page.questions:
            yield question
        if (after := page.next) is None:
            return


async def _finished(running: Deployment, done: int, more: int) -> None:
    """Returns once so many more than `done` have been completed."""

    async def enough() -> bool:
        return await _completed(running) >= done + more

    await until(enough, FINISHED_WITHIN)


async def _completed(running: Deployment) -> int:
    return (await running.store.health.totals()).runs.get(RunStatus.COMPLETED, 0)


def _busy(process: psutil.Process) -> float:
    """Seconds of a processor that it has used."""
    times = process.cpu_times()
    return float(times.user + times.system)
