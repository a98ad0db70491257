"""What runs that wait for people cost their worker, beside the same worker with none."""

from __future__ import annotations

import asyncio

from bench.deployment import Deployment, deployed, until
from bench.effort import Effort
from bench.table import Figure, Spread

SETTLED = 1.0
"""Seconds until what starting took is given back."""
ALL_ASKED_WITHIN = 120.0


async def measure(effort: Effort) -> list[Figure]:
    figures = []
    async with deployed() as running:
        # The first run pays for what all share.
        await running.completed(await running.start("bench_brief"))
        idle = await _cost(running)
        for many in effort.waiting:
            await _until_waiting(running, many)
            figures += _figures(many, await _cost(running), idle)
    return figures


def _figures(many: int, now: tuple[float, float], idle: tuple[float, float]) -> list[Figure]:
    runs = "1 run waits" if many == 1 else f"{many} runs wait"
    grown = (now[0] - idle[0]) * 1024 / many
    return [
        Figure(f"memory of the worker, {runs}", Spread(now[0]), Spread(idle[0]), "MB"),
        Figure("  a run", Spread(grown), unit="KB"),
        Figure(f"threads of the worker, {runs}", Spread(now[1]), Spread(idle[1]), ""),
    ]


async def _until_waiting(running: Deployment, many: int) -> None:
    """Start runs until so many wait for people."""
    waiting = (await running.store.health.totals()).questions_open
    for _ in range(many - waiting):
        await running.start("bench_asks")

    async def all_asked() -> bool:
        return (await running.store.health.totals()).questions_open >= many

    await until(all_asked, ALL_ASKED_WITHIN)


async def _cost(running: Deployment) -> tuple[float, float]:
    """Megabytes that are resident, and threads."""
    await asyncio.sleep(SETTLED)
    worker = running.worker
    return worker.memory_info().rss / 2**20, float(worker.num_threads())
