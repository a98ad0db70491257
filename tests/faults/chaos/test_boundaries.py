"""SIGKILL before and after every boundary: whoever is killed there, everything ends as it should."""

import asyncio
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
from tests.faults.chaos.lap import Lap
from tests.faults.chaos.line import SMALL, TRANSITIONS
from tests.faults.chaos.servers import EmbeddedValkey, InstalledRedis, RedisServer
from tests.faults.nursery import Nursery

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

SEED = 1
TOWNS = 5
TOGETHER = {"worker": 2, "web": 1, "redis": 2}
"""How many of each kind are killed in one round: three workers that die of a run would be one too many."""


def rounds(chosen: Sequence[Boundary], seed: random.Random) -> list[list[Boundary]]:
    """All of these, several at a time."""
    waiting = {kind: [each for each in chosen if each.victim == kind] for kind in TOGETHER}
    for each in waiting.values():
        seed.shuffle(each)
    # This one costs a worker besides.
    made = [[each] for each in chosen if each.victim == "any"]
    while any(waiting.values()):
        made.append(
            [waiting[kind].pop() for kind, many in TOGETHER.items() for _ in range(many) if waiting[kind]]
        )
    return made


async def walked(
    folder: Path, nursery: Nursery, make_server: Callable[[Path], RedisServer], many: int | None = None
) -> None:
    seed = random.Random(SEED)
    all_rounds = rounds(boundaries(), seed)
    seed.shuffle(all_rounds)
    async with asyncio.TaskGroup() as group:
        for number in range(TOWNS):
            mine = all_rounds[:many][number::TOWNS]
            group.create_task(lap(folder / str(number), nursery, make_server, mine))


async def lap(
    folder: Path, nursery: Nursery, make_server: Callable[[Path], RedisServer], mine: list[list[Boundary]]
) -> None:
    await asyncio.to_thread(folder.mkdir)
    async with Lap.prepared(folder, nursery, make_server, random.Random(f"{SEED} {mine}")) as lap:
        for each in mine:
            await lap.round(each)
        await lap.ledger.audit()
        assert not lap.ledger.violations, f"{lap.ledger.violations}\n{lap.town.story()}"
        known = {("worker", step) for step in WORKER} | {("web", step) for step in WEB}
        left_out = {
            (kind, step) for kind in ("worker", "web") for step in (*ELSEWHERE, *ANYBODY, WAKE_UP, SMALL)
        }
        assert lap.reaper.seen <= known | left_out


def test_no_transition_is_forgotten() -> None:
    assert {*WORKER, *WEB, *ANYBODY, *ELSEWHERE} == TRANSITIONS
    assert not {*WORKER, *WEB, *ANYBODY} & {*ELSEWHERE}
    assert {*ALL_OF_REDIS} <= {*WORKER, *WEB}


async def test_on_the_embedded_valkey(data_dir: Path, nursery: Nursery) -> None:
    await walked(data_dir, nursery, EmbeddedValkey)


async def test_on_a_redis_server(data_dir: Path, nursery: Nursery) -> None:
    if InstalledRedis.binary() is None:
        pytest.skip("no redis-server on PATH")
    await walked(data_dir, nursery, InstalledRedis, many=TOWNS)
