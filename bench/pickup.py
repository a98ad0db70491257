"""A worker is killed -> another one takes its runs up, beside the lease."""

from __future__ import annotations

import asyncio
import time

from bench.deployment import Deployment, deployed, until
from bench.effort import Effort
from bench.table import Figure, LessThan, Quantiles
from bot.core.runs.run import Run, RunStatus
from bot.core.wakeups import run_topic
from tests.scenario.server import Server

LEASE = 3
RUNS = 12
WITHIN = 60.0
LOST_AND_TAKEN = 2
"""What the epoch of a run counts up by: once when it is taken from its worker, once when it is claimed."""


async def measure(effort: Effort) -> list[Figure]:
    async with deployed({"CREWDECK_LEASE": str(LEASE)}, workers=effort.kills + 1) as running:
        alive = list(running.workers)
        # New ones each time: a second death is followed by a pause, which is another thing.
        rounds = [await _killed(running, alive, await _waiting(running)) for _ in range(effort.kills)]
    name = "worker killed -> its runs are taken up; the lease"
    return [Figure(name, Quantiles.of(rounds), Quantiles(LEASE), "s", (LessThan(LEASE + 1, "p99"),))]


async def _waiting(running: Deployment) -> list[Run]:
    """Runs that wait for people, in the hands of all workers."""
    runs = [await running.start("bench_asks") for _ in range(RUNS)]
    await until(lambda: _all_asked(running, runs), WITHIN)
    return runs


async def _all_asked(running: Deployment, runs: list[Run]) -> bool:
    now = [await running.store.runs.get(run.id) for run in runs]
    return all(run.status is RunStatus.INPUT_REQUIRED for run in now)


async def _killed(running: Deployment, alive: list[Server], runs: list[Run]) -> list[float]:
    """Seconds until each run of a worker that is killed was taken up."""
    now = [await running.store.runs.get(run.id) for run in runs]
    held = {worker: [run for run in now if _has(worker, run)] for worker in alive}
    victim = max(alive, key=lambda worker: len(held[worker]))
    alive.remove(victim)
    async with asyncio.TaskGroup() as group:
        taken = [group.create_task(_taken(running, run)) for run in held[victim]]
        await asyncio.sleep(0)  # They watch.
        victim.kill()
        killed = time.monotonic()
    return [each.result() - killed for each in taken]


def _has(worker: Server, run: Run) -> bool:
    claimed = ((said.get("run_id"), said.get("epoch")) for said in worker.log)
    return (run.id, run.epoch) in claimed


async def _taken(running: Deployment, before: Run) -> float:
    """When another worker had it."""
    with running.wakeups.watch(run_topic(before.id)) as changed:
        while True:
            changed.clear()
            now = await running.store.runs.get(before.id)
            if now.epoch >= before.epoch + LOST_AND_TAKEN:
                return time.monotonic()
            await changed.wait()
