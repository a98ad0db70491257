"""Flow control: when something may be sent to a platform.

- Rate limits: a token bucket for each kind of call, and for each channel where the platform counts so.
- What all channels share is short where many runs end at once. A delivery that would wait long for it is put
  back, so that others, which need none of it, go on: threads are opened, questions are asked.
- Acknowledgements first. A platform waits about three seconds for one, and people are less patient; messages
  to threads have no deadline. Both share one event loop, where a hundred runs to show would queue in front
  of a press.
- How many deliveries work at once: what merely waits for the platform's permission doesn't count.
- Bounded retries of what a platform puts off.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from bot.core.token_bucket import TokenBucket
from bot.surfaces.chat.failures import Deferred, RetryLater
from bot.surfaces.chat.platform import Priority

MAX_QUEUES = 1000
MAX_PAUSE_S = 5.0
"""Seconds that a call waits here while the platform wants none; who would wait longer comes back later."""
MAX_TURN_WAIT_S = 5.0
"""Seconds that a delivery waits for its turn at what all channels share; for a later one it comes back."""
MAX_PROGRESS_WAIT_S = 1.0
"""Seconds that progress waits for its turn: meanwhile what is decided in its run waits behind it."""
MAX_YIELD_S = 0.5
"""Sending is held up for this long at most, so that no burst of presses stops it."""


# ── acknowledgements first ──────────────────────────────────────────────────────────────────────────────────


class AckPriority:
    """Whether this process has requests to acknowledge."""

    def __init__(self) -> None:
        self._unacknowledged = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._turn = asyncio.Lock()

    @contextmanager
    def acknowledging(self) -> Iterator[None]:
        """The platform waits for what the block does."""
        self._unacknowledged += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._unacknowledged -= 1
            if not self._unacknowledged:
                self._idle.set()

    async def yield_to_acks(self) -> None:
        """Return when no request waits for its acknowledgement. Callers pass one at a time."""
        async with self._turn:
            try:
                async with asyncio.timeout(MAX_YIELD_S):
                    await self._idle.wait()
            except TimeoutError:
                return


# ── rate limits ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Rate:
    """`per_second` calls in the long run, `burst` at once, of which progress leaves `reserved`."""

    per_second: float
    burst: int
    reserved: int = 0
    #: Each channel has a bucket of its own.
    by_channel: bool = False
    #: All deliveries need it: one whose turn is far away is put back, and asks again later.
    deferring: bool = False


@dataclass(frozen=True, order=True)
class Ticket:
    """A place in the queue for one call: within a priority, channels take turns."""

    priority: Priority
    turn: int
    number: int
    channel: str = ""


@dataclass
class CallQueue:
    """A token bucket with a queue by priority. Pure: times are seconds of any monotonic clock."""

    rate: Rate
    #: The part of the rate that is ours; other processes spend the rest.
    share: float = 1.0
    #: Until when the platform asked to wait.
    paused_until: float = 0.0
    _bucket: TokenBucket = field(init=False)
    _queue: list[Ticket] = field(default_factory=list, init=False)
    #: The turn of the call of each priority that was made last.
    _turns: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0), init=False)
    #: When the last deferred call of each priority comes back.
    _deferred_until: dict[Priority, float] = field(default_factory=dict, init=False)
    _numbers: itertools.count[int] = field(default_factory=itertools.count, init=False)

    def __post_init__(self) -> None:
        self._bucket = TokenBucket(self.rate.per_second * self.share, self.rate.burst)

    def enqueue(self, priority: Priority, channel: str = "") -> Ticket:
        """Join the queue: behind the same channel's calls of this priority, and one of each other's."""
        own = [each.turn for each in self._queue if (each.priority, each.channel) == (priority, channel)]
        turn = max([self._turns[priority], *own]) + 1
        ticket = Ticket(priority, turn, next(self._numbers), channel)
        bisect.insort(self._queue, ticket)
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """Leave the queue; nothing if the call was made."""
        if ticket in self._queue:
            self._queue.remove(ticket)

    def try_acquire(self, ticket: Ticket, now: float) -> float:
        """Seconds after which to ask again; 0: the call may be made now, and is counted."""
        self.refill(now)
        ahead = self._queue.index(ticket)
        seconds = self._bucket.seconds_until(self._reserved(ticket.priority) + ahead + 1)
        if not seconds and ahead == 0:
            self._bucket.tokens -= 1
            self._turns[ticket.priority] = ticket.turn
            del self._queue[0]
            return 0.0
        return max(seconds, 0.01 / self._bucket.per_second)

    def seconds_until_allowed(self, priority: Priority, now: float) -> float:
        """Seconds until such a call could be made if nothing else came; 0: now. Counts nothing."""
        self.refill(now)
        ahead = sum(1 for each in self._queue if each.priority <= priority)
        return self._bucket.seconds_until(self._reserved(priority) + ahead + 1)

    def defer(self, priority: Priority, now: float) -> float:
        """Seconds after which a call that is not to wait in the queue shall ask again.

        Each gets a time of its own: who came back together would be deferred together.
        """
        earliest = now + self.seconds_until_allowed(priority, now)
        behind = self._deferred_until.get(priority, 0.0) + 1 / self._bucket.per_second
        self._deferred_until[priority] = max(earliest, behind)
        return self._deferred_until[priority] - now

    def pause(self, seconds: float, now: float) -> None:
        """Allow nothing for so long, and no burst after it."""
        self.refill(now)
        self.paused_until = max(self.paused_until, now + seconds)
        self._bucket.tokens = min(self._bucket.tokens, 1 - seconds * self._bucket.per_second)

    def give_back(self, now: float) -> None:
        """A call that was counted was not made. Within a pause nothing is given back."""
        self.refill(now)
        if now >= self.paused_until:
            self._bucket.tokens = min(self.rate.burst, self._bucket.tokens + 1)

    @property
    def idle(self) -> bool:
        """Nobody waits, and nothing was spent lately."""
        return not self._queue and self._bucket.tokens >= self.rate.burst

    def refill(self, now: float) -> None:
        """Refill for the time that has passed, at our part of the rate."""
        self._bucket.per_second = self.rate.per_second * self.share
        self._bucket.refill(now)

    def _reserved(self, priority: Priority) -> int:
        return self.rate.reserved if priority is Priority.PROGRESS else 0


_check: ContextVar[Callable[[], None] | None] = ContextVar("_check", default=None)


@contextmanager
def checked_before_calls(check: Callable[[], None]) -> Iterator[None]:
    """Before each call of the block, once it has waited for its turn, `check` may raise: it isn't made."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


class RateLimiter:
    """Delays calls to what the platform grants, by method; methods without a rate are not delayed."""

    def __init__(
        self,
        rates: Mapping[str, Rate],
        clock: Callable[[], float] = time.monotonic,
        ack_priority: AckPriority | None = None,
    ) -> None:
        self.ack_priority = ack_priority or AckPriority()
        self._rates = rates
        self._clock = clock
        self._queues: dict[tuple[str, str], CallQueue] = {}
        #: This process's part of what the platform grants all channels together.
        self.share = 1.0

    async def acquire(self, method: str | Iterable[str], channel: str, priority: Priority) -> None:
        """Return when a call may be made, and count it: where several rates limit it, in all or in none.

        Raises RetryLater where the platform asked to wait for longer than `MAX_PAUSE_S`, and where the turn
        of progress is further away than `MAX_PROGRESS_WAIT_S`; Deferred where that of a delivery is further
        away than `MAX_TURN_WAIT_S`. Who waits here holds up others, who wait for nothing.
        """
        counted: list[CallQueue] = []
        try:
            for each in (method,) if isinstance(method, str) else method:
                if (queue := self._queue_of(each, channel)) is not None:
                    await self._acquire(queue, channel, priority)
                    counted.append(queue)
            if counted:
                await self.ack_priority.yield_to_acks()
            if (check := _check.get()) is not None:
                check()
        except BaseException:  # Cancelled or not, the call isn't made.
            for queue in counted:
                queue.give_back(self._clock())
            raise

    async def _acquire(self, queue: CallQueue, channel: str, priority: Priority) -> None:
        patience_s = _patience_s(queue.rate, priority)
        if queue.seconds_until_allowed(priority, self._clock()) > patience_s:
            raise self._put_back(queue, priority)
        ticket = queue.enqueue(priority, channel)
        try:
            if (seconds := self._seconds_until_turn(queue, ticket)) > 0:
                async with slot_released():
                    await self._wait_for_turn(queue, ticket, seconds, patience_s)
        finally:
            queue.remove(ticket)

    def _put_back(self, queue: CallQueue, priority: Priority) -> RetryLater:
        now = self._clock()
        if priority is Priority.PROGRESS:
            return RetryLater(queue.seconds_until_allowed(priority, now), "no room for progress")
        return Deferred(queue.defer(priority, now), "others have the next turns")

    async def _wait_for_turn(
        self, queue: CallQueue, ticket: Ticket, seconds: float, patience_s: float
    ) -> None:
        began = self._clock()
        while seconds > 0:
            await asyncio.sleep(min(seconds, patience_s, MAX_PAUSE_S))
            seconds = self._seconds_until_turn(queue, ticket)
            # Calls of a higher priority may come before it again and again.
            if seconds > 0 and self._clock() - began > 2 * patience_s:
                raise self._put_back(queue, ticket.priority)

    def _seconds_until_turn(self, queue: CallQueue, ticket: Ticket) -> float:
        now = self._clock()
        if (left := queue.paused_until - now) > MAX_PAUSE_S:
            raise RetryLater(left, "the platform asked to wait")
        return queue.try_acquire(ticket, now)

    async def wait_for_capacity(self, method: str, priority: Priority) -> None:
        """Return when a call of this priority could be made. Nothing is counted."""
        queue = self._queue_of(method, "")
        if queue is None:
            return
        seconds = queue.seconds_until_allowed(priority, self._clock())
        while seconds > 0:
            await asyncio.sleep(seconds)
            seconds = queue.seconds_until_allowed(priority, self._clock())

    def seconds_until_allowed(self, method: str, channel: str, priority: Priority) -> float:
        """Until such a call could be made, by what is known of its queue. Nothing is counted."""
        rate = self._rates.get(method)
        queue = self._queues.get((method, channel if rate and rate.by_channel else ""))
        return queue.seconds_until_allowed(priority, self._clock()) if queue else 0.0

    def pause(self, method: str, channel: str, seconds: float) -> None:
        """The platform asked to wait for so long."""
        queue = self._queue_of(method, channel)
        if queue is not None:
            queue.pause(seconds, self._clock())

    def _queue_of(self, method: str, channel: str) -> CallQueue | None:
        rate = self._rates.get(method)
        if rate is None:
            return None
        key = (method, channel if rate.by_channel else "")
        if key not in self._queues:
            self._forget_idle()
            self._queues[key] = CallQueue(rate)
        if not rate.by_channel:
            self._queues[key].share = self.share
        return self._queues[key]

    def _forget_idle(self) -> None:
        if len(self._queues) < MAX_QUEUES:
            return
        now = self._clock()
        for queue in self._queues.values():
            queue.refill(now)
        self._queues = {key: each for key, each in self._queues.items() if not each.idle}


def _patience_s(rate: Rate, priority: Priority) -> float:
    """How far away the turn of such a call may be."""
    if priority is Priority.PROGRESS:
        return MAX_PROGRESS_WAIT_S
    return MAX_TURN_WAIT_S if rate.deferring and is_delivery() else math.inf


# ── deliveries at once ──────────────────────────────────────────────────────────────────────────────────────


class _Slot:
    """A slot of the limit, which one task takes and gives back."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._held = False

    async def take(self) -> None:
        await self._free.acquire()
        self._held = True

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._free.release()


_slot: ContextVar[_Slot | None] = ContextVar("slot", default=None)


def is_delivery() -> bool:
    """Whether this task has a slot, and so can be put back and begun again later."""
    return _slot.get() is not None


class WorkLimit:
    """At most `most` tasks are within `slot` and not within `slot_released`."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot, and hold it during the block."""
        slot = _Slot(self._free)
        await slot.take()
        token = _slot.set(slot)
        try:
            yield
        finally:
            _slot.reset(token)
            slot.give_back()


@asynccontextmanager
async def slot_released() -> AsyncIterator[None]:
    """The block only waits, so another task has this one's slot. Without one, nothing happens."""
    slot = _slot.get()
    if slot is None:
        yield
        return
    slot.give_back()
    try:
        yield
    finally:
        await slot.take()


# ── retries ─────────────────────────────────────────────────────────────────────────────────────────────────


async def with_retries(
    call: Callable[[], Awaitable[None]],
    attempts: int,
    max_delay_s: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call again after each RetryLater, when it says, or after `max_delay_s`. Raises the last one."""
    for _ in range(attempts - 1):
        try:
            return await call()
        except RetryLater as later:
            await sleep(min(later.seconds, max_delay_s))
    return await call()
