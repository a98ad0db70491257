"""A crew under Crewdeck, claimed -> finished, beside building the same crew and a bare `kickoff()`."""

from __future__ import annotations

from bench.deployment import Deployment, deployed
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.table import Figure, Within

SHARE = 5
"""A crew takes long; a fifth of the samples will do."""


async def measure(effort: Effort) -> list[Figure]:
    many = max(1, effort.samples // SHARE)
    async with Peer.started("crew") as bare, deployed() as running:
        await bare.heard()
        await _ours(running, 2)

        async def baseline() -> list[float]:
            answer = await bare.ask(many=many, crew="brief")
            return [float(each) for each in answer["milliseconds"]]

        spreads = await taking_turns(effort, lambda: _ours(running, many), baseline)
    return [Figure("crew: claimed -> finished", *spreads, aims=(Within(1.05),))]


async def _ours(running: Deployment, many: int) -> list[float]:
    """By the store's clock, which counts milliseconds."""
    took = []
    for _ in range(many):
        done = await running.completed(await running.start("bench_brief"))
        assert done.started_at is not None
        assert done.finished_at is not None
        took.append(float(done.finished_at - done.started_at))
    return took
