"""What endpoints of webhooks have still to get: the port to the store.

An endpoint is a surface of its own (`bot.core.endpoints`) that follows runs. Its shards are leased like those
of any surface; each run's events pass it in order, and one that fails holds back the later ones of its run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import Field

from bot.core.run import Run
from bot.core.value import Value


class Outstanding(Value):
    """How far an endpoint is with a run."""

    #: The newest event that it is done with.
    cursor: int = 0
    #: Events up to the cursor that somebody wants sent again: `seq` -> when they said so.
    again: dict[int, int] = Field(default_factory=dict)
    #: How often the next event was tried in vain.
    tries: int = 0
    #: Nobody is there any more (410): nothing more is sent.
    gone: bool = False

    @property
    def before(self) -> int:
        """The number before the next event's."""
        return min((*(seq - 1 for seq in self.again), self.cursor))

    def done_with(self, seq: int) -> bool:
        return seq <= self.cursor and seq not in self.again


class Failing(Value):
    """A run whose next event doesn't get through."""

    run_id: str
    since: int
    tries: int
    why: str


class GivenUp(Value):
    """An event that was not delivered, and is no longer tried."""

    run_id: str
    seq: int
    at: int
    why: str


class Disabled(Value):
    """Why nothing is sent to an endpoint, though it is configured."""

    at: int
    why: str
    #: `Endpoint.fingerprint` of the address that said so.
    fingerprint: str


class Webhooks(Protocol):
    """The endpoints that follow runs, and what they have still to get; all raise StoreUnavailable."""

    async def follow(self, surfaces: Sequence[str]) -> None:
        """These surfaces, and no others, follow the runs that start from now on."""

    async def following(self) -> list[str]:
        """The surfaces that do."""

    async def outstanding(self, surface: str, run_id: str) -> Outstanding: ...

    async def ack_event(
        self, surface: str, owner: str, run_id: str, seq: int, *, failure: str = "", gone: bool = False
    ) -> bool:
        """The event is delivered or not wanted; with `failure` it is given up.

        False if another process holds the shard by now (then stop).
        """

    async def nack_event(
        self, surface: str, owner: str, run_id: str, *, tries: int, why: str, seconds: float
    ) -> bool:
        """The next event failed, for the `tries`-th time, and is due again in `seconds`.

        False as above.
        """

    async def disable(self, surface: str, why: str, fingerprint: str) -> None: ...

    async def enable(self, surface: str) -> None: ...

    async def disabled(self) -> dict[str, Disabled]:
        """By surface."""

    async def resend(self, surface: str, run_id: str, seqs: Sequence[int]) -> int:
        """Send these events of a run again, in their order; returns how many were or will be sent."""

    async def failing(self, surface: str) -> list[Failing]:
        """The longest failing first."""

    async def given_up(self, surface: str) -> list[GivenUp]:
        """Oldest first, without those that were delivered since."""

    async def find_event(self, event_id: str) -> tuple[Run, int]:
        """The run of an event, and its `seq`. Raises NotFound."""
