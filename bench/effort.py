"""How much is measured, and the order in which: ours and its baseline take turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.table import Quantiles

Round = Callable[[], Awaitable[list[float]]]
"""Measures something often; milliseconds."""


BRIEF_ROUNDS = 3


@dataclass(frozen=True)
class Effort:
    """What a run of the benchmarks costs, and how much its figures are worth."""

    #: Rounds of ours, and as many of the baseline.
    rounds: int
    #: Seconds of load in a round, where something is measured under load.
    load_seconds: float
    #: Samples in a round, where one is taken after the other.
    samples: int
    #: Up to how many runs wait for people at once.
    waiting: tuple[int, ...]
    #: How many runs live at once: the first is the baseline of the others.
    live: tuple[int, ...]
    #: How many clients follow a run at once.
    clients: tuple[int, ...]
    #: How many runs are parked, and for the end of how many of them one waits once all are answered.
    parked: int
    finished: int
    #: Questions that are answered at once.
    answers: int
    #: Seconds in which an idle process is watched.
    idle_seconds: float
    #: Workers that are killed, one after the other.
    kills: int
    #: Runs that one worker executes while its memory is watched, and after how many it is replaced.
    crews: int
    recycle_after: int

    def brief(self) -> Effort:
        """Fewer rounds, for what takes seconds each."""
        return replace(self, rounds=min(self.rounds, BRIEF_ROUNDS))

    def sized(self, sizes: Mapping[str, int | Sequence[int] | None]) -> Effort:
        """The same with other sizes; None leaves one as it is."""
        given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
        return replace(self, **given)


FULL = Effort(
    rounds=5,
    load_seconds=5,
    samples=100,
    waiting=(1, 100, 500),
    live=(100, 1000, 10_000),
    clients=(1, 1000),
    parked=2000,
    finished=100,
    answers=900,
    idle_seconds=5,
    kills=2,
    crews=200,
    recycle_after=100,
)
QUICK = Effort(
    rounds=2,
    load_seconds=1,
    samples=20,
    waiting=(1, 50),
    live=(50, 500),
    clients=(1, 200),
    parked=200,
    finished=30,
    answers=180,
    idle_seconds=3,
    kills=1,
    crews=80,
    recycle_after=40,
)


async def taking_turns(effort: Effort, ours: Round, baseline: Round) -> tuple[Quantiles, Quantiles]:
    """Measure in rounds, ours and the baseline in turn, so that a change of the machine's mood hits both."""
    rounds = [(await ours(), await baseline()) for _ in range(effort.rounds)]
    return Quantiles.of(mine for mine, _ in rounds), Quantiles.of(theirs for _, theirs in rounds)
