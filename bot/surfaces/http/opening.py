"""Where a run's stream begins: from the cursor that a client comes back with."""

from __future__ import annotations

from typing import NamedTuple

from bot.core import ids
from bot.core.ports import Runs
from bot.core.run import Run
from bot.surfaces.http.wire import RESET, Message


class Opening(NamedTuple):
    """Where to begin in a run."""

    run: Run
    #: Behind event number `after`.
    after: int
    #: What is said before.
    first: tuple[Message, ...]

    @property
    def finished(self) -> bool:
        """The client has seen the run's last event."""
        return self.run.status.over and self.after >= self.run.seq


async def open_run(runs: Runs, run_id: str, cursor: str) -> Opening:
    """Begin behind the event `cursor`; with none at the first event. Raises NotFound."""
    run = await runs.get(run_id)
    if not cursor:
        return Opening(run, 0, ())
    seq = ids.event_seq(run_id, cursor)
    if seq is None or seq > run.seq:
        return Opening(run, 0, (RESET,))
    return Opening(run, seq, ())
