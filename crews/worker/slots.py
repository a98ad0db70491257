"""The slots of a worker: how many runs work at once here, and for a crew with a limit, in all workers.

A run that waits for people doesn't work. When it is answered it goes on if there is room, else it goes back
to the queue, where it is ahead of new runs, and any worker may take it up. So a permission to work is only
ever given by a claim, or at once; nobody holds one while waiting for another.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Never

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.queue import Queue
from bot.core.run import Claim

log = structlog.get_logger(__name__)

SLOT_TIMEOUT_S = 1.0
"""Seconds that an answered run waits for room here before it goes back to the queue."""


class Slots:
    """One worker's. Used on the control loop only."""

    def __init__(self, queue: Queue, worker: str, lease: float, most: int) -> None:
        self._queue = queue
        self._worker = worker
        self._lease = lease
        self._most = most
        #: By crew, where its runs are limited.
        self.limits: Mapping[str, int] = {}
        #: Called when there is room again.
        self.on_room: Callable[[], None] = lambda: None
        self._working: dict[str, Claim] = {}
        self._reserved = 0
        self._next: deque[tuple[asyncio.Future[None], Claim]] = deque()
        #: Those whose places in their crews are to be given back.
        self._left: asyncio.Queue[Claim] = asyncio.Queue()
        #: A place is given back and taken again in the order in which that is decided.
        self._places = asyncio.Lock()

    @property
    def room(self) -> int:
        """The number of free slots beyond those that answered runs wait for."""
        return max(0, self._free - len(self._next))

    @property
    def _free(self) -> int:
        return self._most - len(self._working) - self._reserved

    def reserve(self, wanted: int) -> int:
        """Reserve up to `wanted` slots for a claim; how many were free."""
        kept = min(wanted, self.room)
        self._reserved += kept
        return kept

    def begin(self, claims: Iterable[Claim], reserved: int) -> None:
        """These runs were claimed and take slots; the rest of the reservation is free again."""
        self._reserved -= reserved
        self._working.update({claim.run.id: claim for claim in claims})
        self._admit()

    def free_slot(self, claim: Claim) -> None:
        """The run waits for people, or ended: others may work."""
        if self._has(claim):
            del self._working[claim.run.id]
            if claim.run.crew.name in self.limits:
                self._left.put_nowait(claim)
            self._admit()
            self.on_room()

    async def leave(self, claim: Claim) -> None:
        """The run is about to leave: its place is free before anybody can claim it again."""
        self.free_slot(claim)
        await self._left.join()

    async def resume(self, claim: Claim) -> bool:
        """Whether the run, which was answered, gets a slot. If the store is away, it doesn't."""
        if self._has(claim):
            return True
        goes_on = False
        try:
            goes_on = await self._admitted(claim) and await self._occupied(claim)
        finally:
            if not goes_on:
                self.free_slot(claim)
        return goes_on

    async def keep_places(self) -> Never:
        """Give back the places of runs that left. What can't be given back ends with its lease."""
        while True:
            claim = await self._left.get()
            try:
                async with self._places:
                    if claim.run.id not in self._working:
                        await self._queue.release_slots(self._worker, claim.run.crew.name, [claim.run.id])
            except StoreUnavailable as error:
                log.debug("a concurrency slot could not be released", run_id=claim.run.id, reason=str(error))
            finally:
                self._left.task_done()

    async def renew(self) -> None:
        """Keep the places of all that work for another lease."""
        async with self._places:
            held: defaultdict[str, list[str]] = defaultdict(list)
            for run_id, claim in self._working.items():
                if claim.run.crew.name in self.limits:
                    held[claim.run.crew.name].append(run_id)
            for crew, run_ids in held.items():
                await self._queue.acquire_slots(self._worker, crew, run_ids, None, self._lease)

    def _has(self, claim: Claim) -> bool:
        known = self._working.get(claim.run.id)
        return known is not None and known.epoch == claim.epoch

    async def _admitted(self, claim: Claim) -> bool:
        """Whether a slot gets free here within SLOT_TIMEOUT_S."""
        if self.room > 0:
            self._working[claim.run.id] = claim
            return True
        admitted = asyncio.get_running_loop().create_future()
        self._next.append((admitted, claim))
        try:
            await asyncio.wait({admitted}, timeout=SLOT_TIMEOUT_S)
        finally:
            if not admitted.done():
                self._next.remove((admitted, claim))
        return self._has(claim)

    async def _occupied(self, claim: Claim) -> bool:
        most = self.limits.get(claim.run.crew.name)
        if most is None:
            return True
        async with self._places:
            run_id = claim.run.id
            crew = claim.run.crew.name
            return run_id in await self._queue.acquire_slots(self._worker, crew, [run_id], most, self._lease)

    def _admit(self) -> None:
        while self._next and self._free > 0:
            admitted, claim = self._next.popleft()
            self._working[claim.run.id] = claim
            if not admitted.done():
                admitted.set_result(None)
