"""A crew under Crewdeck, claimed -> finished, beside building the same crew and a bare `kickoff()`."""

from __future__ import annotations

from bench.deployment import Deployment, deployed
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.table import Aim, AtMostTimes, Figure

SHARE = 5
"""A crew takes long; a fifth of the samples will do."""
MODELS: dict[str, tuple[float, tuple[Aim, ...]]] = {
    "crew: claimed -> finished": (0.0, (AtMostTimes(1.05),)),
    "crew whose model takes 100 ms a call: claimed -> finished": (0.1, (AtMostTimes(1.05),)),
}
"""By figure: the seconds that each of the three model calls takes."""


async def measure(effort: Effort) -> list[Figure]:
    many = max(1, effort.samples // SHARE)
    async with Peer.started("crew") as bare, deployed() as running:
        await bare.heard()
        await _ours(running, 2, 0.0)
        return [
            await _figure(effort, (running, bare), name, many, pause) for name, (pause, _) in MODELS.items()
        ]


async def _figure(
    effort: Effort, sides: tuple[Deployment, Peer], name: str, many: int, pause: float
) -> Figure:
    running, bare = sides

    async def baseline() -> list[float]:
        answer = await bare.ask(many=many, crew="brief", inputs={"pause": pause})
        return [float(each) for each in answer["milliseconds"]]

    spreads = await taking_turns(effort, lambda: _ours(running, many, pause), baseline)
    return Figure(name, *spreads, aims=MODELS[name][1])


async def _ours(running: Deployment, many: int, pause: float) -> list[float]:
    """By the store's clock, which counts milliseconds."""
    took = []
    for _ in range(many):
        done = await running.completed(await running.start("bench_brief", pause=pause))
        assert done.started_at is not None
        assert done.finished_at is not None
        took.append(float(done.finished_at - done.started_at))
    return took
