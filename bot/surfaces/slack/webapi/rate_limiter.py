"""Slack's rate limits: a token bucket for each method, and for each channel where Slack counts so."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.platform import Priority


@dataclass(frozen=True)
class Rate:
    """`per_second` calls in the long run, `burst` at once, of which progress leaves `reserved`."""

    per_second: float
    burst: int
    reserved: int = 0


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


POSTS = Rate(per_second=1.0, burst=4)
"""Slack: about one message a second and channel, with short bursts."""
HOME_TABS = Rate(per_second=1.4, burst=15, reserved=5)
BURST_SHARE = 0.16
"""The part of a minute's edits that may be made at once."""
BY_CHANNEL = frozenset({"chat.postMessage"})
MAX_BUCKETS = 1000
MIN_EDIT_INTERVAL_S = 0.1


def edit_interval_s(per_minute: int) -> float:
    """Seconds from one edit of a run's progress to the next: 1.5 with what Slack grants everybody."""
    return max(MIN_EDIT_INTERVAL_S, 75 / per_minute)


def edits(per_minute: int) -> Rate:
    """The rate of edits in a workspace: a full burst and a minute's refill together are `per_minute`."""
    burst = max(1, round(per_minute * BURST_SHARE))
    return Rate(per_second=(per_minute - burst) / 60, burst=burst, reserved=burst // 2)


def rates(edits_per_minute: int) -> Mapping[str, Rate]:
    """What Slack grants, by method."""
    return {"chat.postMessage": POSTS, "chat.update": edits(edits_per_minute), "views.publish": HOME_TABS}


class RateLimiter:
    """Delays calls to what Slack grants."""

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
        #: This process's part of what Slack grants a workspace.
        self.share = 1.0

    async def enter(self, method: str, channel: str, priority: Priority) -> None:
        """Return when a call may be made, and count it."""
        bucket = self._bucket(method, channel)
        if bucket is None:
            return
        ticket = bucket.join(priority, channel)
        try:
            seconds = bucket.wait(ticket, self._clock())
            while seconds > 0:
                await asyncio.sleep(seconds)
                seconds = bucket.wait(ticket, self._clock())
        finally:
            bucket.leave(ticket)
        await self.ack_priority.yield_to_acks()

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
        bucket = self._buckets.get((method, channel if method in BY_CHANNEL else ""))
        return bucket.room(priority, self._clock()) if bucket else 0.0

    def hold(self, method: str, channel: str, seconds: float) -> None:
        """Slack asked to wait for so long."""
        bucket = self._bucket(method, channel)
        if bucket is not None:
            bucket.hold(seconds, self._clock())

    def _bucket(self, method: str, channel: str) -> TokenBucket | None:
        rate = self._rates.get(method)
        if rate is None:
            return None
        key = (method, channel if method in BY_CHANNEL else "")
        if key not in self._buckets:
            self._forget_idle()
            self._buckets[key] = TokenBucket(rate)
        if method not in BY_CHANNEL:
            self._buckets[key].share = self.share
        return self._buckets[key]

    def _forget_idle(self) -> None:
        if len(self._buckets) < MAX_BUCKETS:
            return
        now = self._clock()
        for bucket in self._buckets.values():
            bucket.refresh(now)
        self._buckets = {key: each for key, each in self._buckets.items() if not each.idle}
