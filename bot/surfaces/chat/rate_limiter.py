"""A platform's rate limits: a token bucket for each kind of call, and for each channel where it counts so."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.platform import Priority
from bot.surfaces.chat.work_limit import slot_released

MAX_BUCKETS = 1000


@dataclass(frozen=True)
class Rate:
    """`per_second` calls in the long run, `burst` at once, of which progress leaves `reserved`."""

    per_second: float
    burst: int
    reserved: int = 0
    #: Each channel has a bucket of its own.
    by_channel: bool = False


@dataclass(frozen=True, order=True)
class Ticket:
    """A place in the queue for one call: within a priority, channels take turns."""

    priority: Priority
    turn: int
    number: int
    channel: str = ""


@dataclass
class TokenBucket:
    """A token bucket with a queue by priority. Pure: times are seconds of any monotonic clock."""

    rate: Rate
    #: The part of the rate that is ours; other processes spend the rest.
    share: float = 1.0
    _tokens: float = field(init=False)
    _at: float | None = field(default=None, init=False)
    _queue: list[Ticket] = field(default_factory=list, init=False)
    #: The turn of the call of each priority that was made last.
    _turns: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0), init=False)
    _numbers: itertools.count[int] = field(default_factory=itertools.count, init=False)

    def __post_init__(self) -> None:
        self._tokens = float(self.rate.burst)

    def join(self, priority: Priority, channel: str = "") -> Ticket:
        """Join the queue: behind the same channel's calls of this priority, and one of each other's."""
        own = [each.turn for each in self._queue if (each.priority, each.channel) == (priority, channel)]
        turn = max([self._turns[priority], *own]) + 1
        ticket = Ticket(priority, turn, next(self._numbers), channel)
        bisect.insort(self._queue, ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Leave the queue; nothing if the call was made."""
        if ticket in self._queue:
            self._queue.remove(ticket)

    def wait(self, ticket: Ticket, now: float) -> float:
        """Seconds after which to ask again; 0: the call may be made now, and is counted."""
        self._refill(now)
        ahead = self._queue.index(ticket)
        missing = self._floor(ticket.priority) + ahead + 1 - self._tokens
        if missing <= 0 and ahead == 0:
            self._tokens -= 1
            self._turns[ticket.priority] = ticket.turn
            del self._queue[0]
            return 0.0
        return max(missing, 0.01) / self._per_second

    def room(self, priority: Priority, now: float) -> float:
        """Seconds until such a call could be made if nothing else came; 0: now. Counts nothing."""
        self._refill(now)
        ahead = sum(1 for each in self._queue if each.priority <= priority)
        return max(0.0, self._floor(priority) + ahead + 1 - self._tokens) / self._per_second

    def hold(self, seconds: float, now: float) -> None:
        """Allow nothing for so long, and no burst after it."""
        self._refill(now)
        self._tokens = min(self._tokens, 1 - seconds * self._per_second)

    @property
    def idle(self) -> bool:
        """Nobody waits, and nothing was spent lately: forgetting it changes nothing."""
        return not self._queue and self._tokens >= self.rate.burst

    def refresh(self, now: float) -> None:
        """Refill for the time that has passed."""
        self._refill(now)

    @property
    def _per_second(self) -> float:
        return self.rate.per_second * self.share

    def _floor(self, priority: Priority) -> int:
        return self.rate.reserved if priority is Priority.PROGRESS else 0

    def _refill(self, now: float) -> None:
        if self._at is not None:
            grown = self._tokens + max(0.0, now - self._at) * self._per_second
            self._tokens = min(float(self.rate.burst), grown)
        self._at = now if self._at is None else max(now, self._at)


class RateLimiter:
    """Delays calls to what the platform grants, by method; methods without a rate are not delayed."""

    def __init__(
        self,
        rates: Mapping[str, Rate],
        clock: Callable[[], float] = time.monotonic,
        ack_priority: AckPriority | None = None,
    ) -> None:
        #: Acknowledgements come before what is shown.
        self.ack_priority = ack_priority or AckPriority()
        self._rates = rates
        self._clock = clock
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        #: This process's part of what the platform grants all channels together.
        self.share = 1.0

    async def enter(self, method: str, channel: str, priority: Priority) -> None:
        """Return when a call may be made, and count it."""
        bucket = self._bucket(method, channel)
        if bucket is None:
            return
        ticket = bucket.join(priority, channel)
        try:
            if (seconds := bucket.wait(ticket, self._clock())) > 0:
                async with slot_released():
                    await self._admitted(bucket, ticket, seconds)
        finally:
            bucket.leave(ticket)
        await self.ack_priority.yield_to_acks()

    async def _admitted(self, bucket: TokenBucket, ticket: Ticket, seconds: float) -> None:
        while seconds > 0:
            await asyncio.sleep(seconds)
            seconds = bucket.wait(ticket, self._clock())

    async def room(self, method: str, priority: Priority) -> None:
        """Return when there is room for a call of this priority. Nothing is counted."""
        bucket = self._bucket(method, "")
        if bucket is None:
            return
        seconds = bucket.room(priority, self._clock())
        while seconds > 0:
            await asyncio.sleep(seconds)
            seconds = bucket.room(priority, self._clock())

    def seconds(self, method: str, channel: str, priority: Priority) -> float:
        """Until such a call could be made, by what is known of its bucket. Nothing is counted."""
        rate = self._rates.get(method)
        bucket = self._buckets.get((method, channel if rate and rate.by_channel else ""))
        return bucket.room(priority, self._clock()) if bucket else 0.0

    def hold(self, method: str, channel: str, seconds: float) -> None:
        """The platform asked to wait for so long."""
        bucket = self._bucket(method, channel)
        if bucket is not None:
            bucket.hold(seconds, self._clock())

    def _bucket(self, method: str, channel: str) -> TokenBucket | None:
        rate = self._rates.get(method)
        if rate is None:
            return None
        key = (method, channel if rate.by_channel else "")
        if key not in self._buckets:
            self._forget_idle()
            self._buckets[key] = TokenBucket(rate)
        if not rate.by_channel:
            self._buckets[key].share = self.share
        return self._buckets[key]

    def _forget_idle(self) -> None:
        if len(self._buckets) < MAX_BUCKETS:
            return
        now = self._clock()
        for bucket in self._buckets.values():
            bucket.refresh(now)
        self._buckets = {key: each for key, each in self._buckets.items() if not each.idle}
