"""SIGKILL before and after boundaries: whoever is killed there, everything ends as it should.

Each run of the tests takes a sample of them; with `--every-boundary`, as in `make chaos`, all are taken.
"""

import asyncio
import itertools
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.chaos.boundary import (
    ALL_OF_REDIS,
    ANYBODY,
    ELSEWHERE,
    WAKE_UP,
    WEB,
    WORKER,
    Boundary,
    boundaries,
)
from tests.faults.chaos.round_sequence import RoundSequence
from tests.faults.chaos.servers import EmbeddedValkey, InstalledRedis, RedisServer
from tests.faults.chaos.transition_proxy import SMALL, TRANSITIONS
from tests.fork_server.client import ForkServer

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SAMPLE = 4
"""Rounds of one run of the tests; all of them are about twenty."""
DEPLOYMENTS = 2
DEPLOYMENTS_FOR_ALL = 5
AT_ONCE = 2
"""Runs of which a worker dies, in one round: three would be one too many."""
ALONE = {"apply_due", "cancel"}
"""Boundaries whose runs need a round of their own: a worker is killed besides, or the run ends otherwise."""
Group = list[Boundary]


def rounds(chosen: Sequence[Boundary], seed: random.Random) -> list[list[Group]]:
    """All of these; a worker, a web process and Redis are killed under the same run."""
    by_victim: dict[str, list[Boundary]] = {"worker": [], "web": [], "redis": []}
    alone = [[[each]] for each in chosen if each.step in ALONE]
    for each in chosen:
        if each.step not in ALONE:
            by_victim[each.victim].append(each)
    for each_kind in by_victim.values():
        seed.shuffle(each_kind)
    groups = [
        [each for each in group if each is not None] for group in itertools.zip_longest(*by_victim.values())
    ]
    made = alone + [groups[n : n + AT_ONCE] for n in range(0, len(groups), AT_ONCE)]
    seed.shuffle(made)
    return made


@dataclass(frozen=True)
class Walk:
    """Where somebody is killed: in the rounds that a seed chooses, or in all of them."""

    seed: int
    everywhere: bool

    async def on(
        self, make_server: Callable[[Path], RedisServer], folder: Path, fork_server: ForkServer
    ) -> None:
        chosen = rounds(boundaries(), random.Random(self.seed))[: None if self.everywhere else SAMPLE]
        deployments = DEPLOYMENTS_FOR_ALL if self.everywhere else DEPLOYMENTS
        async with asyncio.TaskGroup() as group:
            for number in range(deployments):
                mine = chosen[number::deployments]
                group.create_task(self._sequence(folder / str(number), fork_server, make_server, mine))

    async def _sequence(
        self,
        folder: Path,
        fork_server: ForkServer,
        make_server: Callable[[Path], RedisServer],
        mine: list[list[Group]],
    ) -> None:
        await asyncio.to_thread(folder.mkdir)
        seed = random.Random(f"{self.seed} {mine}")
        async with RoundSequence.prepared(folder, fork_server, make_server, seed) as sequence:
            for each in mine:
                await sequence.round(each)
            await checked(sequence)


async def checked(sequence: RoundSequence) -> None:
    """Nothing is wrong afterwards."""
    await sequence.invariants.audit()
    assert not sequence.invariants.violations, (
        f"{sequence.invariants.violations}\n{sequence.deployment.story()}"
    )
    known = {("worker", step) for step in WORKER} | {("web", step) for step in WEB}
    left_out = {(kind, step) for kind in ("worker", "web") for step in (*ELSEWHERE, *ANYBODY, WAKE_UP, SMALL)}
    assert sequence.reaper.seen <= known | left_out


@pytest.fixture
def walk(request: pytest.FixtureRequest) -> Walk:
    """What is chosen is shown when the test fails, and with `-s`."""
    everywhere: bool = request.config.getoption("every_boundary")
    seed: int = request.config.getoption("boundary_seed")
    sys.stdout.write(f"{'All boundaries' if everywhere else 'A sample'}: --boundary-seed={seed}\n")
    return Walk(seed, everywhere)


def test_no_transition_is_forgotten() -> None:
    assert {*WORKER, *WEB, *ANYBODY, *ELSEWHERE} == TRANSITIONS
    assert not {*WORKER, *WEB, *ANYBODY} & {*ELSEWHERE}
    assert {*ALL_OF_REDIS} <= {*WORKER, *WEB}


async def test_on_the_embedded_valkey(data_dir: Path, fork_server: ForkServer, walk: Walk) -> None:
    await walk.on(EmbeddedValkey, data_dir, fork_server)


async def test_on_a_redis_server(data_dir: Path, fork_server: ForkServer, walk: Walk) -> None:
    if InstalledRedis.binary() is None:
        pytest.skip("no redis-server on PATH")
    await walk.on(InstalledRedis, data_dir, fork_server)
