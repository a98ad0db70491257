"""The log of Web API calls, and waiting for something to become true without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tests.loopback.slack.wire import Body

T = TypeVar("T")


@dataclass
class Call:
    """One Web API request: logged on arrival, completed when it is answered."""

    method: str
    #: Form fields, query and JSON body merged; what was sent as a JSON string is decoded.
    arguments: Body
    token: str
    #: time.monotonic() of the arrival.
    time: float
    #: What was answered; None while the call waits, and where the connection was dropped.
    response: Body | None = None
    status: int | None = None

    @property
    def ok(self) -> bool:
        return self.response is not None and self.response.get("ok") is True


class Changes:
    """Tells waiters that something happened; `until` looks again at each `notify`."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def until(self, predicate: Callable[[], T], seconds: float) -> T:
        """The predicate's first truthy value; a LookupError or StopIteration means "not yet".

        Raises TimeoutError.
        """
        async with asyncio.timeout(seconds):
            while True:
                value = _looked_up(predicate)
                if value:
                    return value
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)


def _looked_up(predicate: Callable[[], T]) -> T | None:
    try:
        return predicate()
    except (LookupError, StopIteration):
        return None


def told(calls: list[Call]) -> str:
    """The last calls, one a line, for the message of a wait that failed."""
    lines = [f"  {call.method} {call.arguments} -> {call.response}"[:400] for call in calls[-8:]]
    return "\n".join(lines) or "  (no Web API call at all)"
