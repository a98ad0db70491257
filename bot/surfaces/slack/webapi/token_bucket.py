"""A token bucket with a queue by priority. Pure: the caller says what time it is."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass, field

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
    """Times are seconds of any monotonic clock."""

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
