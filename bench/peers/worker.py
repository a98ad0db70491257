"""What a worker does with a crew, with the journal or without: all else is the same."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from bench.peers import json_lines
from bot import settings
from bot.core import starting
from bot.core.people.actor import Actor
from bot.core.ports.journal import Change, Journal, NewEvent
from bot.core.ports.queue import Queue
from bot.core.ports.store import Store
from bot.core.runs.run import Claim
from bot.core.wakeups import Wakeups
from bot.store.redis import open_store
from crews.crewai_adapter import environment
from crews.run.lease import Lease
from crews.run.store_proxy import StoreProxy
from crews.worker.engine import Engine
from crews.worker.slots import Slots

if TYPE_CHECKING:
    from crews.building.build import Blueprint
    from crews.building.offer import Offer

ADA = Actor(surface="http", user_id="ada", name="Ada")
LEASE = 600.0
HOT_WINDOW, HOT_RUNS = 60.0, 100
WITHOUT = "without"


@dataclass(frozen=True)
class EventsOnlyJournal:
    """A journal that records events alone."""

    journal: Journal

    async def read(self, run_id: str) -> dict[str, str]:
        return await self.journal.read(run_id)

    async def put_if_absent(self, _claim: Claim, _name: str, value: str) -> str:
        return value

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:
        if events := _events(changes):
            await self.journal.write(claim, events)


@dataclass(frozen=True)
class EventsOnlyQueue:
    """A queue of which runs end without the last entries of their journals."""

    queue: Queue

    def __getattr__(self, verb: str) -> Any:  # noqa: ANN401 - every other verb
        return getattr(self.queue, verb)

    async def finish(self, claim: Claim, changes: Sequence[Change] = (), **how: Any) -> None:
        await self.queue.finish(claim, changes=_events(changes), **how)


def _events(changes: Sequence[Change]) -> list[Change]:
    return [each for each in changes if isinstance(each, NewEvent)]


def _offer() -> Offer:
    from bench import crews
    from crews.building.build import PythonCrew
    from crews.building.offer import Offer

    return Offer({name: PythonCrew(name, getattr(crews, name)) for name in ("brief", "busy")})


async def main(url: str, journal: str) -> None:
    environment.prepare(settings.load())
    async with open_store(url) as store:
        wakeups = Wakeups()
        following = asyncio.create_task(wakeups.follow(store.events))
        kept = _without_journal(store) if journal == WITHOUT else store
        slots = Slots(kept.queue, "bench", lease=60, most=50)
        proxy = StoreProxy(asyncio.get_running_loop(), kept, wakeups, slots)
        crews = Engine(_offer, proxy, HOT_WINDOW, HOT_RUNS)
        blueprints = (await crews.start()).crews
        json_lines.say(ready=True)
        async for asked in json_lines.requests():
            blueprint = blueprints[asked["crew"]]
            took = [await _milliseconds(store, crews, blueprint) for _ in range(asked["many"])]
            json_lines.say(milliseconds=took)
        following.cancel()


def _without_journal(store: Store) -> Store:
    journal, queue = (
        cast("Journal", EventsOnlyJournal(store.journal)),
        cast("Queue", EventsOnlyQueue(store.queue)),
    )
    return replace(store, journal=journal, queue=queue)


async def _milliseconds(store: Store, crews: Engine, blueprint: Blueprint) -> float:
    """From when the run is claimed until its end is recorded."""
    await store.runs.start(starting.plan(blueprint.card(), {}, ADA, key=uuid.uuid4().hex))
    [claim] = await store.queue.claim("bench", [blueprint.name], 1, LEASE)
    started = time.perf_counter()
    await crews.execute(claim, Lease())
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
