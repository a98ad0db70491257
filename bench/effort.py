"""How much is measured, and the order in which: ours and its baseline take turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.table import Spread

Round = Callable[[], Awaitable[list[float]]]
"""Measures something often; milliseconds."""


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
    #: How many clients follow a run at once.
    clients: tuple[int, ...]


FULL = Effort(rounds=5, load_seconds=5, samples=100, waiting=(1, 100, 500), clients=(1, 1000))
QUICK = Effort(rounds=2, load_seconds=1, samples=20, waiting=(1, 50), clients=(1, 200))


async def taking_turns(effort: Effort, ours: Round, baseline: Round) -> tuple[Spread, Spread]:
    """Measure in rounds, ours and the baseline in turn, so that a change of the machine's mood hits both."""
    rounds = [(await ours(), await baseline()) for _ in range(effort.rounds)]
    return Spread.of(mine for mine, _ in rounds), Spread.of(theirs for _, theirs in rounds)
