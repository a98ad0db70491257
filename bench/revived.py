"""A parked run is answered -> the tool returns in the crew, beside building that crew with bare CrewAI."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from bench.deployment import ADA, Deployment, deployed, until
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.table import Aim, AtMostMore, AtMostTimes, Figure, Quantiles
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action
from bot.core.questions.response import make_response
from bot.core.runs.run import Run
from bot.store import redis_keys

if TYPE_CHECKING:
    from pathlib import Path

SHARE = 10
"""Reviving takes long; a tenth of the samples will do."""
PARKED_WITHIN = 60.0
CREWS: dict[str, tuple[str, str, Aim]] = {
    "bench_counsel": ("counsel", "a parked run of a provider's model", AtMostTimes(2)),
    "bench_asks": ("asks", "a parked run without one", AtMostMore(25)),
}


@dataclass
class Revivals:
    """Answers runs that are parked, one after the other."""

    running: Deployment
    redis: Redis
    crew: str

    @property
    def _notes(self) -> Path:
        return self.running.folder / f"{self.crew}.jsonl"

    async def round(self, many: int) -> list[float]:
        """Milliseconds from each answer's acceptance to the tool's return."""
        self._notes.write_text("")
        runs = [await self.running.start(self.crew, notes=str(self._notes)) for _ in range(many)]
        await until(lambda: self._all_parked(runs), PARKED_WITHIN)
        accepted = []
        for run in runs:
            accepted.append(await self._answer(run))
            await self.running.completed(run)
        returned = [json.loads(each)["at"] for each in self._notes.read_text().splitlines()]
        return [(back - at) * 1000 for back, at in zip(returned, accepted, strict=True)]

    async def _all_parked(self, runs: list[Run]) -> bool:
        return all([await self.redis.hget(redis_keys.run(run.id), "state") == b"parked" for run in runs])

    async def _answer(self, run: Run) -> float:
        """When the store settled it, in seconds, by the clock that it shares with the tool."""
        [question] = await self.running.store.questions.list(run.id)
        said = make_response(Action.RESPOND, ADA, key=question.id, comment="yes")
        ruling = await self.running.store.questions.respond(question.run_id, question.id, said)
        assert ruling.verdict is Verdict.SETTLED
        assert ruling.question is not None
        assert ruling.question.settled_at is not None
        return ruling.question.settled_at / 1000


async def measure(effort: Effort) -> list[Figure]:
    many = max(2, effort.samples // SHARE)
    figures = []
    async with Peer.started("model") as model:
        url = str((await model.heard())["base_url"])
        provider = {"OPENAI_API_KEY": "sk-bench", "OPENAI_BASE_URL": url, "OPENAI_API_BASE": url}
        async with (
            Peer.started("crew", env=provider) as bare,
            deployed({"CREWDECK_HOT_WINDOW": "0", **provider}) as running,
            Redis.from_url(running.server.store_url) as redis,
        ):
            await bare.heard()
            for crew, (factory, name, aim) in CREWS.items():
                revivals = Revivals(running, redis, crew)
                await revivals.round(2)
                spreads = await _beside(bare, factory, revivals, effort.brief(), many)
                figures.append(Figure(f"{name}: answered -> tool returns", *spreads, aims=(aim,)))
    return figures


async def _beside(
    bare: Peer, factory: str, revivals: Revivals, effort: Effort, many: int
) -> tuple[Quantiles, Quantiles]:
    async def built() -> list[float]:
        answer = await bare.ask(many=many, crew=factory, inputs={"notes": "", "questions": 1}, built=True)
        return [float(each) for each in answer["milliseconds"]]

    return await taking_turns(effort, lambda: revivals.round(many), built)
