"""How a worker's memory grows with the crews that it has executed, and what recycling makes of that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from statistics import median

import psutil

from bench.deployment import Deployment, deployed, until
from bench.effort import Effort
from bench.peer import Peer
from bench.puppet import concurrently
from bench.table import AtMostTimes, Figure, Quantiles

BATCH = 10
"""Crews that are executed at once, as the first ones, and at last."""
SETTLED = 1.0
"""Seconds until what a crew took is given back."""
REPLACED_WITHIN = 60.0


@dataclass(frozen=True)
class WorkerMemory:
    """Of one worker: megabytes that were resident after its first crews, and before its last."""

    early: float
    late: float


async def measure(effort: Effort) -> list[Figure]:
    whole = effort.recycle_after
    between = whole - 2 * BATCH
    async with (
        Peer.started("crew") as bare,
        deployed({"CREWDECK_RECYCLE_AFTER": str(whole)}) as running,
    ):
        await bare.heard()
        # The server's first worker also pays for what the others find done, such as compiled modules.
        lives = [await _life(running, between) for _ in range(effort.crews // whole)]
        theirs = await _bare(bare, between)
    early, late = median(life.early for life in lives), median(life.late for life in lives)
    return [
        Figure(f"memory of a worker, {whole - BATCH} crews later", Quantiles(late), Quantiles(early), "MB"),
        Figure(
            "  a crew", Quantiles((late - early) / between * 1024), Quantiles(theirs / between * 1024), "KB"
        ),
        Figure(
            f"memory of a worker after {effort.crews:,} crews, recycled every {whole}",
            Quantiles(lives[-1].late),
            Quantiles(lives[0].late),
            "MB",
            (AtMostTimes(1.05),),
        ),
    ]


async def _life(running: Deployment, between: int) -> WorkerMemory:
    """All of a worker's life; another one has come when this returns."""
    worker = running.worker
    await _execute(running, BATCH)
    early = await _memory(worker)
    await _execute(running, between)
    late = await _memory(worker)
    await _execute(running, BATCH)

    async def replaced() -> bool:
        return [worker.pid] != [each.pid for each in running.server.workers] and bool(running.server.workers)

    await until(replaced, REPLACED_WITHIN)
    return WorkerMemory(early, late)


async def _execute(running: Deployment, many: int) -> None:
    for first in range(0, many, BATCH):
        some = range(first, min(first + BATCH, many))
        runs = [await running.start("bench_brief") for _ in some]
        await concurrently(running.completed, runs)


async def _memory(worker: psutil.Process) -> float:
    await asyncio.sleep(SETTLED)
    return float(worker.memory_info().rss / 2**20)


async def _bare(bare: Peer, between: int) -> float:
    """Megabytes by which bare CrewAI grows with as many crews."""
    before = await bare.ask(crew="brief", many=BATCH)
    after = await bare.ask(crew="brief", many=between)
    return float((after["memory"] - before["memory"]) / 2**20)
