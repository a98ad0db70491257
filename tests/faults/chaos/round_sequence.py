"""Rounds in one deployment: in each, boundaries are met one after the other, each by a run of its own."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import redis
import redis.asyncio

from bot.core.errors import NotFound, StoreUnavailable
from bot.store import redis_keys
from bot.tasks import run_alongside
from tests.faults.chaos.boundary import CONCLUDE, EDIT, INTEND, MODEL, POST, TELL, TOOL, Boundary
from tests.faults.chaos.deployment import ChaosDeployment
from tests.faults.chaos.invariants import Invariants
from tests.faults.chaos.people import EFFECTS, People, Walk, all_rewritten, unfinished
from tests.faults.chaos.reaper import Order, Reaper
from tests.faults.chaos.servers import RedisServer
from tests.faults.chaos.transition_proxy import TransitionProxy
from tests.fork_server.client import SERVE, WORKER, ForkServer
from tests.waiting import WITHIN

HOT_WINDOW = "0.3"
OFTEN = {
    "write_journal": 4,
    MODEL: 4,
    TELL: 2,
    CONCLUDE: 2,
    INTEND: 2,
    "mark_delivered": 4,
    POST: 2,
    EDIT: 2,
}
"""How often a run comes to a boundary, at least: it is killed at one of these times."""
NEEDS_TIME = frozenset({"release", "apply_due", "heartbeat"})
"""Boundaries that only a run meets whose tools take a second: others may be over by then."""


@dataclass
class RoundSequence:
    """`async with RoundSequence.prepared(...) as sequence: await sequence.round(boundaries)`."""

    deployment: ChaosDeployment
    people: People
    invariants: Invariants
    reaper: Reaper
    seed: random.Random
    marks: itertools.count[int]

    @classmethod
    @asynccontextmanager
    async def prepared(
        cls,
        folder: Path,
        fork_server: ForkServer,
        make_server: Callable[[Path], RedisServer],
        seed: random.Random,
    ) -> AsyncIterator[Self]:
        """A deployment with two web processes and three workers, each with a proxy of its own to Redis."""
        reaper = Reaper()
        peers = {"slack": reaper.slack, "model": reaper.model}
        async with ChaosDeployment.running(folder, fork_server, make_server, **peers) as deployment:
            reaper.deployment = deployment
            people = People(deployment, seed)
            sequence = cls(
                deployment, people, Invariants(deployment, people), reaper, seed, itertools.count(1)
            )
            proxies = [
                await sequence._add(f"{kind}-{n}")
                for kind, many in (("web", 2), ("worker", 3))
                for n in range(many)
            ]
            try:
                async with run_alongside(people.attend(), people.redeliver()):
                    await sequence._until(sequence._known)
                    yield sequence
            finally:
                for proxy in proxies:
                    await proxy.close()

    async def _add(self, name: str) -> TransitionProxy:
        proxy = TransitionProxy(
            name, self.deployment.folder / f"{name}.sock", self.deployment.server.socket, self.reaper
        )
        await proxy.open()
        command = SERVE if name.startswith("web") else WORKER
        await asyncio.to_thread(self.deployment.add, name, command, proxy.url, CREWDECK_HOT_WINDOW=HOT_WINDOW)
        return proxy

    async def _known(self) -> bool:
        return "walk" in await self.deployment.store.catalogue.crews()

    # ── rounds ──────────────────────────────────────────────────────────────────────────────────────────

    async def round(self, together: Sequence[Sequence[Boundary]]) -> None:
        """Kill at each of these, at those of one group by the same run.

        All runs are over, and all of Slack is up to date, when this returns.
        """
        async with asyncio.TaskGroup() as group:
            for boundaries in together:
                group.create_task(self._meet(boundaries))
        await self._until(self._settled)

    async def _meet(self, boundaries: Sequence[Boundary]) -> None:
        """Runs come to the boundaries until somebody was killed at each."""
        often = [self.seed.randint(1, OFTEN.get(boundary.step, 1)) for boundary in boundaries]
        missed = await self._sent(list(zip(boundaries, often, strict=True)))
        for boundary in (*missed, *missed):
            if boundary in missed:
                missed = [each for each in missed if each != boundary] + await self._sent([(boundary, 1)])
        assert not missed, f"nothing came {' or '.join(map(str, missed))}\n{self.deployment.story()}"

    async def _sent(self, boundaries: Sequence[tuple[Boundary, int]]) -> list[Boundary]:
        """Send a run there; returns those at which nobody was killed."""
        mark = f"w{next(self.marks)}"
        orders = [Order(boundary, mark, f"C0{mark.upper()}", times) for boundary, times in boundaries]
        told = self._told(orders)
        steps = {order.boundary.step for order in orders}
        parks = "park" in steps or self.seed.random() < 0.3
        slow = 1.0 if steps & NEEDS_TIME else 0.0
        walk = await self.people.start(mark, answered=False, seconds=slow)
        await self._until(lambda: self._learned(walk))
        for step in steps:
            await self._acted(step, walk)
        if parks:
            await self._until(lambda: self._parked_or_over(walk, orders))
        walk.may_go_on.set()
        await self._until(lambda: self._over(walk))
        return [order.boundary for order in orders if not await self._done(order, told)]

    def _told(self, orders: Sequence[Order]) -> Path | None:
        """Leave word with who is to kill; the file, if that is a tool."""
        file = None
        for order in orders:
            if order.boundary.step == TOOL:
                what = self.seed.choice(EFFECTS)
                file = self.deployment.effects.told(order.mark, what, order.boundary.moment)
                file.touch()
            else:
                self.reaper.orders.append(order)
        return file

    async def _done(self, order: Order, told: Path | None) -> bool:
        """Whether somebody was killed for this. The run can be over before its killer is back."""
        if order.boundary.step == TOOL:
            return told is not None and not await asyncio.to_thread(told.exists)
        if order in self.reaper.orders:
            self.reaper.orders.remove(order)
            return False
        await self._until(order.done.is_set)
        return True

    async def _acted(self, step: str, walk: Walk) -> None:
        """What somebody has to do for this boundary to be met."""
        match step:
            case "cancel":
                await self.people.cancel(walk)
                # What was acknowledged counts, but may take until another process has taken it over.
                await self._until(lambda: self._over(walk))
            case "apply_due":  # It sees that the lease of a dead worker has run out.
                await self._until(lambda: self._begun(walk))
                await self.deployment.kill(self.reaper.holders[walk.run_id])
            case "release":
                await self._until(lambda: self._begun(walk))
                self.deployment.signal(self.reaper.holders[walk.run_id], signal.SIGTERM)

    # ── what is waited for ──────────────────────────────────────────────────────────────────────────────

    async def _until(self, condition: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                for _ in itertools.count():
                    if await _true(condition):
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            name = getattr(condition, "__qualname__", "")
            left = "\n".join(unfinished(self.deployment, self.people.walks.values()))
            raise AssertionError(
                f"not within {WITHIN} s: {name}\n{left}\n{self.deployment.story()}"
            ) from None

    async def _learned(self, walk: Walk) -> bool:
        walk.run_id = self.reaper.runs.get(walk.mark, "")
        return bool(walk.run_id)

    async def _begun(self, walk: Walk) -> bool:
        return bool(self.deployment.effects.traces(walk.mark))

    async def _parked_or_over(self, walk: Walk, orders: Sequence[Order]) -> bool:
        if any(order.boundary.step == "park" and order.done.is_set() for order in orders):
            return True
        if await self._over(walk):
            return True
        client = redis.asyncio.Redis(unix_socket_path=str(self.deployment.server.socket))
        async with client:
            return await client.hget(redis_keys.run(walk.run_id), "state") == b"parked"

    async def _over(self, walk: Walk) -> bool:
        with suppress(NotFound):  # Its start was acknowledged, and another process takes it over.
            walk.over = walk.over or (await self.deployment.store.runs.get(walk.run_id)).status.over
        return walk.over

    async def _settled(self) -> bool:
        """Slack shows that everything is over."""
        return all(all_rewritten(self.deployment, walk) for walk in self.people.walks.values())


async def _true(condition: Callable[[], object]) -> object:
    try:
        found = condition()
        return await found if asyncio.iscoroutine(found) else found
    except (StoreUnavailable, redis.ConnectionError):
        return False  # It is being killed.
