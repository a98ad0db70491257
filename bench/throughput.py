"""Short runs a second with one, two and four workers, beside bare crews in one process."""

from __future__ import annotations

import asyncio
import time

from bench.deployment import Deployment, deployed, until
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.table import Figure, Quantiles
from bot.core.runs.run import RunStatus
from tests.scenario.server import alive

WORKERS = (4, 2, 1)
"""They are stopped one after the other: starting them takes long."""
SHARE = 4
WITHIN = 120.0


async def measure(effort: Effort) -> list[Figure]:
    many = max(10, effort.samples // SHARE)
    figures = []
    async with Peer.started("crew") as bare, deployed(workers=max(WORKERS)) as running:
        await bare.heard()
        await _runs(running, many)

        async def baseline() -> list[float]:
            answer = await bare.ask(many=many, crew="busy", inputs={"turns": 0})
            return [1000 * many / sum(answer["milliseconds"])]

        for workers in WORKERS:
            await _stop(running, workers)
            ours, theirs = await taking_turns(effort.brief(), lambda: _runs(running, many), baseline)
            what = "1 worker" if workers == 1 else f"{workers} workers"
            figures.append(
                Figure(f"short runs a second, {what}", Quantiles(ours.p50), Quantiles(theirs.p50), "runs/s")
            )
    return figures[::-1]


async def _runs(running: Deployment, many: int) -> list[float]:
    """How many a second, when so many are started at once."""
    done = await _completed(running)
    began = time.monotonic()
    for _ in range(many):
        await running.start("bench_busy", turns=0)

    async def all_done() -> bool:
        return await _completed(running) >= done + many

    await until(all_done, WITHIN)
    return [many / (time.monotonic() - began)]


async def _completed(running: Deployment) -> int:
    return (await running.store.health.totals()).runs.get(RunStatus.COMPLETED, 0)


async def _stop(running: Deployment, left: int) -> None:
    """Until so many workers are left."""
    working = [worker for worker in running.workers if alive(worker.process)]
    for worker in working[left:]:
        await asyncio.to_thread(worker.stop)
