"""What runs that wait for people cost their worker, beside the same worker with none.

And what one of them costs, beside a crew that was kicked off with bare CrewAI and waits in its tool.
"""

from __future__ import annotations

import asyncio

import psutil

from bench.deployment import Deployment, deployed, until
from bench.effort import Effort
from bench.peer import Peer
from bench.table import AtMostMore, Figure, Quantiles

SETTLED = 1.0
"""Seconds until what starting took is given back."""
ALL_ASKED_WITHIN = 120.0
HOT_RUNS = 100
"""Runs that wait in memory, by default."""
AIMS = (AtMostMore(60),)
"""Of the memory that a run takes, in KB."""

Cost = tuple[float, float]
"""Megabytes that are resident, and threads."""


async def measure(effort: Effort) -> list[Figure]:
    figures = []
    async with Peer.started("crew") as bare, deployed() as running:
        await bare.heard()
        # The first run pays for what all share; bare CrewAI has run a crew, too.
        await running.completed(await running.start("bench_brief"))
        crews = psutil.Process(bare.process.pid)
        idle, bare_idle = await _cost(running.worker), await _cost(crews)
        for many in effort.waiting:
            await _until_waiting(running, many)
            hot = min(many, HOT_RUNS)
            await bare.ask(waiting=hot)
            now, bare_now = await _cost(running.worker), await _cost(crews)
            figures += _figures(many, now, idle)
            if many == hot:  # Of more the others are parked, and have left something behind, too.
                figures += _each(hot, _grown(now, idle, hot), _grown(bare_now, bare_idle, hot))
    return figures


def _figures(many: int, now: Cost, idle: Cost) -> list[Figure]:
    runs = "1 run waits" if many == 1 else f"{many} runs wait"
    return [
        Figure(f"memory of the worker, {runs}", Quantiles(now[0]), Quantiles(idle[0]), "MB"),
        Figure(f"threads of the worker, {runs}", Quantiles(now[1]), Quantiles(idle[1]), ""),
    ]


def _each(hot: int, ours: Cost, bare: Cost) -> list[Figure]:
    """What each run in memory costs."""
    if hot == 1:  # That says little of each.
        return []
    return [
        Figure("  memory a run", Quantiles(ours[0] * 1024), Quantiles(bare[0] * 1024), "KB", AIMS),
        Figure("  threads a run", Quantiles(ours[1]), Quantiles(bare[1]), ""),
    ]


def _grown(now: Cost, idle: Cost, many: int) -> Cost:
    return (now[0] - idle[0]) / many, (now[1] - idle[1]) / many


async def _until_waiting(running: Deployment, many: int) -> None:
    """Start runs until so many wait for people."""
    waiting = (await running.store.health.totals()).questions_open
    for _ in range(many - waiting):
        await running.start("bench_asks")

    async def all_asked() -> bool:
        return (await running.store.health.totals()).questions_open >= many

    await until(all_asked, ALL_ASKED_WITHIN)


async def _cost(process: psutil.Process) -> Cost:
    await asyncio.sleep(SETTLED)
    return process.memory_info().rss / 2**20, float(process.num_threads())
