"""The queue of runs: what workers do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bot.core.ports.journal import Change
from bot.core.runs.run import Claim, RunError
from bot.core.runs.waiting import WorkerAnnouncement


class Queue(Protocol):
    """What workers do: claims, leases, slots. Methods that take a claim raise Fenced once it is lost."""

    @property
    def shards(self) -> int:
        """How many wake-up topics the queue has."""

    async def claim(
        self,
        worker: str,
        crews: Sequence[str],
        limit: int,
        lease: float,
        *,
        most: Mapping[str, int] | None = None,
        isolated: bool = False,
    ) -> list[Claim]:
        """Claim up to `limit` queued runs of these crews for `lease` seconds, as `fair_queue` orders them.

        `most` is the concurrency limit of a crew; a claimed run of such a crew holds a slot
        (`acquire_slots`). `isolated` claims only runs that crashed two workers; otherwise these are skipped,
        as are runs of paused workspaces. If the reply to a claim was lost, this worker's next claim returns
        what that one took as well.
        """

    async def suspected(self, crews: Sequence[str]) -> list[str]:
        """Ids of queued runs of these crews that crashed two workers, in the order of their turns."""

    async def acquire_slots(
        self, worker: str, crew: str, run_ids: Sequence[str], most: int | None, lease: float
    ) -> set[str]:
        """Those of these runs that may execute while at most `most` of the crew do.

        Slots are held for `lease` seconds. `most=None` renews them, whatever the limit is by now, except
        those that another worker has taken over with the run.
        """

    async def release_slots(self, worker: str, crew: str, run_ids: Sequence[str]) -> None:
        """These runs no longer execute on this worker: their slots are free."""

    async def register_worker(
        self, worker: str, crews: Mapping[str, int | None], lease: float, room: int = 0
    ) -> None:
        """This worker runs these crews, each with its concurrency limit, for another lease.

        `room`: how many runs more could work there.
        """

    async def other_workers(self, worker: str) -> list[WorkerAnnouncement]:
        """What the other workers that are alive said of themselves when they registered last."""

    async def heartbeat(
        self, worker: str, claims: Iterable[Claim], lease: float, worked: Mapping[str, int] | None = None
    ) -> set[str]:
        """Renew the leases; returns the ids of runs that this worker has lost (cancelled, over, or taken).

        `worked`: for how many milliseconds each run has executed. It never decreases.
        """

    async def finish(
        self,
        claim: Claim,
        *,
        result: str | None = None,
        error: RunError | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        """Record what the run did last, and end it with its result or its error: all or nothing."""

    async def park(self, claim: Claim, questions: Sequence[str], worked: int = 0) -> bool:
        """Give the run up until one of these questions is settled, which queues it again.

        False if one was settled meanwhile: then it is queued already.
        """

    async def release(self, claim: Claim, worked: int = 0) -> None:
        """Give the run back to the queue: this worker stops."""

    async def defer(self, claim: Claim, seconds: float) -> None:
        """Give up a run that this worker can't continue; it is queued again after `seconds`."""

    async def abandon(self, worker: str, crash_error: RunError) -> list[str]:
        """Queue again all runs that this dead worker holds; returns their ids.

        After a second crash without a new event in between a run is queued a little later. After the third
        it fails with `crash_error`.
        """


class Fenced(BaseException):
    """The claim is no longer this worker's: the run was cancelled, is over, or another worker has it.

    Not an `Exception`, because CrewAI retries on those.
    """
