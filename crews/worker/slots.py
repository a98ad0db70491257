"""The slots of a worker: how many runs work at once here, and for a crew with a limit, in all workers.

A run that waits for people doesn't work. When it is answered it goes on if there is room, else it waits in
line, ahead of new runs. Where another worker has room, or none gets free here, it goes back to the queue, and
any worker may take it up; as it has to be built again for that, it stays as long as the line moves. Nobody
holds a slot while waiting for another. Several starts at once share a token bucket.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Never

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.queue import Queue
from bot.core.run import Claim
from bot.core.token_bucket import TokenBucket
from bot.core.waiting import WorkerAnnouncement

log = structlog.get_logger(__name__)

SLOT_TIMEOUT_S = 1.0
"""Seconds that a run waits in line before another worker may have it. When the line has stood still for as
long, its first run goes back to the queue."""
LULL_S = 0.02
"""Seconds without another answer, after which those that came at once have been handed over."""
SMALL_BURST = 4
"""So many answers, one upon the other, hold up nobody for whom there is a slot."""
MAX_HOLD_S = 1.0
"""While answers are handed over, one run in line goes on after so many seconds. Those that go on take the
processor from the others, whose tools wait for their answers."""
MAX_BURST_S = 10.0
"""Seconds after which all go on for which there are slots, also if answers keep coming one upon the other."""


@dataclass(eq=False)
class _WaitingRun:
    """An answered run that waits for a slot."""

    claim: Claim
    since: float
    #: For each of its answers: whether the run goes on here.
    goes_on: list[asyncio.Future[bool]] = field(default_factory=list)


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
        #: The line, by run and epoch, in the order in which they were answered.
        self._line: dict[tuple[str, int], _WaitingRun] = {}
        self._line_grew = asyncio.Event()
        #: Runs whose answers are on their way through this process.
        self._expected: set[str] = set()
        #: The runs that were answered one upon the other, and when the last and the first one of them was.
        self._burst: set[str] = set()
        self._answered_at = self._burst_since = 0.0
        #: How many go on at the end of the next lull, and when some did last.
        self._ramp = 1
        self._ramped_at = 0.0
        #: When the line moved last, and what looks whether it can move again.
        self._moved_at = 0.0
        self._look: asyncio.TimerHandle | None = None
        #: Those whose places in their crews are to be given back.
        self._left: asyncio.Queue[Claim] = asyncio.Queue()
        #: A place is given back and taken again in the order in which that is decided.
        self._places = asyncio.Lock()

    @property
    def room(self) -> int:
        """The number of free slots beyond those that answered runs wait for."""
        return max(0, self._free - len(self._line))

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
        self._answered(run_id)
        self._expected.add(run_id)

    def expect_no_more(self, run_id: str) -> None:
        """There was no answer, or it has been handed over, or nobody waits for it any more."""
        if run_id in self._expected:
            self._expected.remove(run_id)
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
            while self._line:
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
        self._answered(claim.run.id)
        self._expected.discard(claim.run.id)
        if self.room > 0 and len(self._burst) <= SMALL_BURST:
            self._working[claim.run.id] = claim
            self._advance()
            return True
        place = (claim.run.id, claim.epoch)
        waiting = self._line.setdefault(place, _WaitingRun(claim, loop.time()))
        goes_on = loop.create_future()
        waiting.goes_on.append(goes_on)
        self._line_grew.set()
        self._advance()
        try:
            return await goes_on and self._has(claim)
        finally:
            waiting.goes_on.remove(goes_on)
            if not waiting.goes_on and self._line.get(place) is waiting:
                del self._line[place]
                self._advance()

    async def _occupied(self, claim: Claim) -> bool:
        most = self.limits.get(claim.run.crew.name)
        if most is None:
            return True
        async with self._places:
            run_id = claim.run.id
            crew = claim.run.crew.name
            return run_id in await self._queue.acquire_slots(self._worker, crew, [run_id], most, self._lease)

    def _answered(self, run_id: str) -> None:
        now = asyncio.get_running_loop().time()
        if not self._expected and now - self._answered_at > LULL_S:
            self._burst.clear()
            self._burst_since = now
        self._burst.add(run_id)
        self._answered_at = now
        self._ramp = 1

    def _advance(self) -> None:
        """Take out of the line who goes on by now, and who leaves since no slot gets free."""
        loop = asyncio.get_running_loop()
        if self._look is not None:
            self._look.cancel()
            self._look = None
        while self._line and self._moves_at <= (now := loop.time()):
            if self._free <= 0:
                self._take_out(self._first, goes_on=False)
            elif self._lull_ends_at <= now:
                for _ in range(min(self._ramp, self._free, len(self._line))):
                    self._take_out(self._first, goes_on=True)
                # If the burst was not over, few have gone on.
                self._ramp, self._ramped_at = min(2 * self._ramp, self._most), now
            else:
                self._take_out(self._first, goes_on=True)
        if self._line:
            self._look = loop.call_at(self._moves_at, self._advance)

    @property
    def _moves_at(self) -> float:
        """When the first one in line goes on, or leaves."""
        if self._free > 0:
            return min(self._lull_ends_at, self._moved_at + MAX_HOLD_S, self._burst_since + MAX_BURST_S)
        return max(self._first.since, self._moved_at) + SLOT_TIMEOUT_S

    @property
    def _lull_ends_at(self) -> float:
        if self._expected:
            return math.inf
        if self._ramp >= self._most:
            return self._ramped_at
        return max(self._answered_at, self._ramped_at) + LULL_S

    def _give_away(self, others: Iterable[WorkerAnnouncement]) -> None:
        """The last ones in line go back to the queue, where these workers find them."""
        until = asyncio.get_running_loop().time() - SLOT_TIMEOUT_S
        last = [each for each in reversed(self._line.values()) if each.since <= until]
        for worker in others:
            fitting = [each for each in last if each.claim.run.crew.name in worker.crews][: worker.room]
            for each in fitting:
                last.remove(each)
                self._take_out(each, goes_on=False)
        self._advance()

    @property
    def _first(self) -> _WaitingRun:
        return next(iter(self._line.values()))

    def _take_out(self, waiting: _WaitingRun, *, goes_on: bool) -> None:
        claim = waiting.claim
        del self._line[claim.run.id, claim.epoch]
        self._moved_at = asyncio.get_running_loop().time()
        if goes_on:
            self._working[claim.run.id] = claim
        for each in waiting.goes_on:
            if not each.done():
                each.set_result(goes_on)


BATCH_DELAY_S = 0.1
"""The shortest wait for the next token, so that several runs start together."""


class StartRate:
    """At most `rate` a second, on average; at most `burst` at once."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bucket = TokenBucket(rate, burst)
        self._clock = clock

    def available(self) -> int:
        """The number of runs that may start now."""
        self._bucket.refill(self._clock())
        return max(0, int(self._bucket.tokens))

    def consume(self, number: int) -> None:
        """Take tokens for started runs."""
        self._bucket.tokens -= number

    def delay(self) -> float:
        """Seconds until the next token, at least BATCH_DELAY_S; 0 if one is available."""
        seconds = self._bucket.seconds_until(1)
        return max(BATCH_DELAY_S, seconds) if seconds else 0.0
