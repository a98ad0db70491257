"""Delivery state of webhooks: the port to the store.

Each endpoint is a surface (`bot.core.events.endpoints`) that follows runs. Its shards are leased like those
of any surface. The events of a run are delivered in order, so a failing event delays the later ones of its
run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import Field

from bot.core.runs.run import Run
from bot.core.value import Value


class EndpointState(Value):
    """The delivery state of a run at an endpoint."""

    #: The `seq` of the newest event that is delivered or given up.
    cursor: int = 0
    #: Earlier events to redeliver: `seq` -> when that was requested.
    again: dict[int, int] = Field(default_factory=dict)
    #: Failed attempts to deliver the next event.
    tries: int = 0
    #: The receiver answered 410: nothing more is sent.
    gone: bool = False

    @property
    def before(self) -> int:
        """The `seq` before the next event."""
        return min((*(seq - 1 for seq in self.again), self.cursor))

    def is_done(self, seq: int) -> bool:
        return seq <= self.cursor and seq not in self.again


class FailingDelivery(Value):
    """A run whose next event could not be delivered yet."""

    run_id: str
    since: int
    tries: int
    why: str


class DeadLetter(Value):
    """An event that was not delivered and is no longer retried."""

    run_id: str
    seq: int
    at: int
    why: str


class Disabled(Value):
    """Why a configured endpoint is disabled."""

    at: int
    why: str
    #: `Endpoint.fingerprint` of the address that answered 410.
    fingerprint: str


class Webhooks(Protocol):
    """The endpoints that follow runs, and their delivery state. All methods raise StoreUnavailable."""

    async def follow(self, surfaces: Sequence[str]) -> None:
        """Exactly these surfaces follow the runs that start from now on."""

    async def following(self) -> list[str]:
        """The surfaces that follow new runs."""

    async def state(self, surface: str, run_id: str) -> EndpointState: ...

    async def ack_event(
        self, surface: str, owner: str, run_id: str, seq: int, *, failure: str = "", gone: bool = False
    ) -> bool:
        """Mark an event as delivered or filtered out; with `failure`, as given up.

        False if another process now holds the shard; the caller then stops.
        """

    async def nack_event(
        self, surface: str, owner: str, run_id: str, *, tries: int, why: str, seconds: float
    ) -> bool:
        """Record the failed attempt number `tries`; the event is due again in `seconds`.

        False as in `ack_event`.
        """

    async def disable(self, surface: str, why: str, fingerprint: str) -> None: ...

    async def enable(self, surface: str) -> None: ...

    async def disabled(self) -> dict[str, Disabled]:
        """The disabled endpoints by surface."""

    async def resend(self, surface: str, run_id: str, seqs: Sequence[int]) -> int:
        """Redeliver these events of a run, in order; returns how many are scheduled."""

    async def failing(self, surface: str) -> list[FailingDelivery]:
        """Runs with failing deliveries, longest failing first."""

    async def dead_letters(self, surface: str) -> list[DeadLetter]:
        """Events that were given up, oldest first, without those that were delivered since."""

    async def find_event(self, event_id: str) -> tuple[Run, int]:
        """The run of an event, and the event's `seq`. Raises NotFound."""
