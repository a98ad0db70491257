"""The slots of a worker: how many runs work at once here, and for a crew with a limit, in all workers.

A run that waits for people doesn't work. When it is answered it goes on if there is room, else it waits in
line, ahead of new runs. Where another worker has room, or none gets free here, it goes back to the queue, and
any worker may take it up; as it has to be built again for that, it stays as long as the line moves. Nobody
holds a slot while waiting for another.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Never

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.queue import Queue
from bot.core.runs.run import Claim
from bot.core.runs.waiting import WorkerAnnouncement
from crews.worker.waiting_runs import SLOT_TIMEOUT_S, WaitingRun, WaitingRuns

log = structlog.get_logger(__name__)


class Slots:
    """The slots in which one worker's runs execute. Used on the control loop only."""

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
        self._waiting = WaitingRuns(most)
        self._line_grew = asyncio.Event()
        #: Looks whether one of those that wait goes on or leaves.
        self._timer: asyncio.TimerHandle | None = None
        #: Those whose places in their crews are to be given back.
        self._left: asyncio.Queue[Claim] = asyncio.Queue()
        #: A place is given back and taken again in the order in which that is decided.
        self._places = asyncio.Lock()

    @property
    def room(self) -> int:
        """The number of free slots beyond those that answered runs wait for."""
        return max(0, self._free - len(self._waiting))

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
        self._advance()

    def expect(self, run_id: str) -> None:
        """The run was answered. The answer is read and handed over, then the run asks for a slot."""
        self._waiting.burst.expect(run_id, asyncio.get_running_loop().time())

    def expect_no_more(self, run_id: str) -> None:
        """There was no answer, or it has been handed over, or nobody waits for it any more."""
        if self._waiting.burst.expect_no_more(run_id):
            self._advance()

    def free_slot(self, claim: Claim) -> None:
        """The run waits for people, or ended: others may work."""
        self.expect_no_more(claim.run.id)
        if self._has(claim):
            del self._working[claim.run.id]
            if claim.run.crew.name in self.limits:
                self._left.put_nowait(claim)
            self._advance()
            self.on_room()

    async def leave(self, claim: Claim) -> None:
        """The run is about to leave: its place is free before anybody can claim it again."""
        self.free_slot(claim)
        await self._left.join()

    async def resume(self, claim: Claim) -> bool:
        """Whether the run, which was answered, gets a slot. If the store is away, it doesn't."""
        if self._has(claim):
            self.expect_no_more(claim.run.id)
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

    async def share(self) -> Never:
        """Send those that wait in line back to the queue, as many as other workers have room for."""
        while True:
            await self._line_grew.wait()
            self._line_grew.clear()
            while self._waiting:
                await asyncio.sleep(SLOT_TIMEOUT_S)
                try:
                    self._give_away(await self._queue.other_workers(self._worker))
                except StoreUnavailable as error:
                    log.debug("other workers' room is not known", reason=str(error))

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
        """Whether the run gets a slot here, after those before it."""
        loop = asyncio.get_running_loop()
        self._waiting.burst.hand_over(claim.run.id, loop.time())
        if self.room > 0 and self._waiting.burst.is_small:
            self._working[claim.run.id] = claim
            self._advance()
            return True
        goes_on = loop.create_future()
        waiting = self._waiting.add(claim, goes_on, loop.time())
        self._line_grew.set()
        self._advance()
        try:
            return await goes_on and self._has(claim)
        finally:
            if self._waiting.withdraw(waiting, goes_on):
                self._advance()

    async def _occupied(self, claim: Claim) -> bool:
        most = self.limits.get(claim.run.crew.name)
        if most is None:
            return True
        async with self._places:
            run_id = claim.run.id
            crew = claim.run.crew.name
            return run_id in await self._queue.acquire_slots(self._worker, crew, [run_id], most, self._lease)

    def _advance(self) -> None:
        """Settle who goes on by now, and who leaves since no slot gets free; look again in time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop, free = asyncio.get_running_loop(), self._free
        while due := self._waiting.take_due(free, loop.time()):
            for each in due:
                self._settle(each, goes_on=free > 0)
            free = self._free
        if self._waiting:
            self._timer = loop.call_at(self._waiting.moves_at(free), self._advance)

    def _give_away(self, others: Iterable[WorkerAnnouncement]) -> None:
        """The last ones in line go back to the queue, where these workers find them."""
        now = asyncio.get_running_loop().time()
        last = self._waiting.since(now - SLOT_TIMEOUT_S)
        for worker in others:
            fitting = [each for each in last if each.claim.run.crew.name in worker.crews][: worker.room]
            for each in fitting:
                last.remove(each)
                self._waiting.remove(each, now)
                self._settle(each, goes_on=False)
        self._advance()

    def _settle(self, waiting: WaitingRun, *, goes_on: bool) -> None:
        if goes_on:
            self._working[waiting.claim.run.id] = waiting.claim
        waiting.settle(goes_on=goes_on)
