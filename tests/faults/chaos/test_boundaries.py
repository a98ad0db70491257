"""SIGKILL before and after every boundary: whoever is killed there, everything ends as it should."""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
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
from tests.faults.chaos.line import SMALL, TRANSITIONS
from tests.faults.chaos.round_sequence import RoundSequence
from tests.faults.chaos.servers import EmbeddedValkey, InstalledRedis, RedisServer
from tests.faults.fork_server import ForkServer

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

SEED = 1
DEPLOYMENTS = 5
AT_ONCE = 2
"""Runs of which a worker dies, in one round: three would be one too many."""
ALONE = {"tick", "cancel"}
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


async def walked(
    folder: Path, fork_server: ForkServer, make_server: Callable[[Path], RedisServer], many: int | None = None
) -> None:
    seed = random.Random(SEED)
    all_rounds = rounds(boundaries(), seed)
    async with asyncio.TaskGroup() as group:
        for number in range(DEPLOYMENTS):
            mine = all_rounds[:many][number::DEPLOYMENTS]
            group.create_task(sequence(folder / str(number), fork_server, make_server, mine))


async def sequence(
    folder: Path, fork_server: ForkServer, make_server: Callable[[Path], RedisServer], mine: list[list[Group]]
) -> None:
    await asyncio.to_thread(folder.mkdir)
    async with RoundSequence.prepared(
        folder, fork_server, make_server, random.Random(f"{SEED} {mine}")
    ) as sequence:
        for each in mine:
            await sequence.round(each)
        await sequence.invariants.audit()
        assert not sequence.invariants.violations, (
            f"{sequence.invariants.violations}\n{sequence.deployment.story()}"
        )
        known = {("worker", step) for step in WORKER} | {("web", step) for step in WEB}
        left_out = {
            (kind, step) for kind in ("worker", "web") for step in (*ELSEWHERE, *ANYBODY, WAKE_UP, SMALL)
        }
        assert sequence.reaper.seen <= known | left_out


def test_no_transition_is_forgotten() -> None:
    assert {*WORKER, *WEB, *ANYBODY, *ELSEWHERE} == TRANSITIONS
    assert not {*WORKER, *WEB, *ANYBODY} & {*ELSEWHERE}
    assert {*ALL_OF_REDIS} <= {*WORKER, *WEB}


async def test_on_the_embedded_valkey(data_dir: Path, fork_server: ForkServer) -> None:
    await walked(data_dir, fork_server, EmbeddedValkey)


async def test_on_a_redis_server(data_dir: Path, fork_server: ForkServer) -> None:
    if InstalledRedis.binary() is None:
        pytest.skip("no redis-server on PATH")
    await walked(data_dir, fork_server, InstalledRedis, many=DEPLOYMENTS)
