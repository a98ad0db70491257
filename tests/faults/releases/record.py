"""Dump what this release leaves behind: `python -m tests.faults.releases.record 0.2`, once for each."""

import asyncio
import sys

import redis

from tests.contract.crews.deck import Deck
from tests.faults.fleet import Fleet
from tests.faults.nursery import Nursery
from tests.faults.releases import dump
from tests.faults.releases.runs import KEPT, script, started
from tests.loopback.models import LoopbackModel


async def record(release: str) -> None:
    async with LoopbackModel() as model:
        script(model)
        with Nursery.opened() as nursery, Fleet.started(model.base_url, nursery, many=1) as fleet:
            async with Deck.at(fleet.redis_url) as deck:
                for run in [await started(deck, mark) for mark in KEPT]:
                    await fleet.parked(run)
            with redis.Redis.from_url(fleet.redis_url, decode_responses=True) as server:
                dump.write(release, dump.taken(server))


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
