"""Slack on a bad day: errors, rate limits and slowness asked for by a test, and Slack's real budgets."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from tests.loopback.slack.wire import Body


@dataclass
class Fault:
    """What happens instead of (or, with `applied`, after) the method's effect. `times` None: until healed."""

    times: int | None
    status: int = 200
    error: str | None = None
    details: Body = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    #: The connection is closed without an answer.
    dropped: bool = False
    #: The method does its work first: the caller can't know that it did.
    applied: bool = False


@dataclass
class Delay:
    times: int | None
    seconds: float


Scripted = TypeVar("Scripted", Fault, Delay)


@dataclass(frozen=True)
class Budget:
    """At most `calls` in any `seconds`, counted for each channel or for the workspace."""

    calls: int
    seconds: float
    per_channel: bool = False


#: About what Slack documents: one message a second and channel with short bursts; Tier 3 for edits.
SLACK_BUDGETS = {
    "chat.postMessage": Budget(5, 5.0, per_channel=True),
    "chat.postEphemeral": Budget(100, 60.0),
    "chat.update": Budget(50, 60.0),
    "views.publish": Budget(100, 60.0),
}


class Faults:
    """Scripted faults by method, first in first out; `*` stands for every method."""

    def __init__(self) -> None:
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._delays: dict[str, deque[Delay]] = defaultdict(deque)
        #: By method: set once calls are answered again.
        self._held: dict[str, asyncio.Event] = {}
        #: What happens to a call, by its method, for which nothing is scripted.
        self.otherwise: Callable[[str], Fault | None] = lambda _: None

    def add(self, method: str, fault: Fault) -> None:
        self._faults[method].append(fault)

    def add_delay(self, method: str, delay: Delay) -> None:
        self._delays[method].append(delay)

    @contextmanager
    def holding_answers(self, method: str) -> Iterator[None]:
        """Within it calls of the method take effect; they are answered after it."""
        answered = self._held[method] = asyncio.Event()
        try:
            yield
        finally:
            del self._held[method]
            answered.set()

    async def may_answer(self, method: str) -> None:
        """Wait until calls of the method are answered."""
        if (answered := self._held.get(method)) is not None:
            await answered.wait()

    def heal(self, method: str | None = None) -> None:
        for queues in (self._faults, self._delays):
            if method is None:
                queues.clear()
            else:
                queues.pop(method, None)

    def next_fault(self, method: str) -> Fault | None:
        return _take(self._faults[method]) or _take(self._faults["*"]) or self.otherwise(method)

    def next_delay(self, method: str) -> float:
        delay = _take(self._delays[method]) or _take(self._delays["*"])
        return delay.seconds if delay else 0.0


class Meter:
    """Counts calls against the budgets; `wait` says how long a caller is over."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str, str], deque[float]] = defaultdict(deque)

    def wait(self, method: str, team: str, channel: str, budgets: dict[str, Budget]) -> float:
        """Seconds until this call would be within its budget; 0 spends one call of it."""
        budget = budgets.get(method)
        if budget is None:
            return 0.0
        spent = self._spent[method, team, channel if budget.per_channel else ""]
        now = time.monotonic()
        while spent and spent[0] <= now - budget.seconds:
            spent.popleft()
        if len(spent) >= budget.calls:
            return spent[0] + budget.seconds - now
        spent.append(now)
        return 0.0


def _take(queue: deque[Scripted]) -> Scripted | None:
    if not queue:
        return None
    first = queue[0]
    if first.times is not None:
        first.times -= 1
        if first.times <= 0:
            queue.popleft()
    return first
