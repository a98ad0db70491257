"""Why a queued run has not started: a code for programs and a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from bot.core.runs.run import Run, RunStatus
from bot.core.value import Value


class WorkerAnnouncement(Value):
    """What a worker announced about itself."""

    #: The crews that it runs, each with its limit of concurrent runs, if there is one.
    crews: dict[str, int | None]
    #: Seconds without a heartbeat after which the worker counts as dead.
    lease: float
    #: How many runs more could work there; 0 also for releases that don't say.
    room: int = 0


class WaitFor(StrEnum):
    """The reason why a queued run waits."""

    #: Its thread is being opened.
    PLACE = "place"
    #: Its workspace is paused.
    PAUSED = "paused"
    #: It is retried later.
    RETRY = "retry"
    #: No live worker runs this crew.
    WORKER = "worker"
    #: The crew's limit of concurrent runs is reached.
    LIMIT = "limit"
    #: Two workers crashed while running it; it waits for an isolated worker.
    ALONE = "alone"
    #: Other runs are ahead of it.
    TURN = "turn"


class QueuedRunState(Value):
    """What the store knows about a queued run."""

    #: Why its workspace is paused.
    paused: str | None = None
    #: The time of the retry.
    retry_at: int | None = None
    #: How many workers died while they ran it, since it last made progress.
    crashes: int = 0
    #: The number of live workers that run its crew.
    workers: int = 0
    #: Without such workers: what keeps its crew from being offered, if that is known.
    problem: str = ""
    #: The limit of concurrent runs of its crew, and how many execute now.
    limit: int | None = None
    working: int = 0
    #: It is in the queue of runs that an isolated worker executes.
    isolated: bool = False
    #: The number of runs of its crew ahead of it.
    ahead: int = 0


class Wait(Value):
    """Why a queued run waits."""

    code: WaitFor
    message: str
    #: With `turn` and `limit`: the number of runs of its crew ahead of it.
    ahead: int | None = None
    #: With `retry`: the time in milliseconds since the epoch.
    until: int | None = None


SUSPECTED_CRASHES = 2
"""After so many crashes a run is delayed, and then executed apart from others."""
_SUSPECTED = "Two workers died while they ran it. It is tried once more in a few seconds."
_DEFERRED = (
    "A worker took it and gave it back, as it could not read what is recorded of it; its log says why. "
    "It is tried again within a minute."
)


def wait_of(run: Run, state: QueuedRunState) -> Wait | None:
    """Why a run waits; None if it isn't queued. Of several reasons, the most persistent one."""
    if run.status is not RunStatus.QUEUED:
        return None
    return _outside_queue(run, state) or _suspected(state) or _in_line(state)


def _outside_queue(run: Run, state: QueuedRunState) -> Wait | None:
    if run.awaiting_thread:
        return Wait(code=WaitFor.PLACE, message="Its thread is being opened.")
    if state.paused is not None:
        why = f": {state.paused}" if state.paused else "."
        return Wait(code=WaitFor.PAUSED, message=f"Its workspace is paused{why}")
    if not state.workers:
        why = f": {state.problem.removesuffix('.')}." if state.problem else "."
        return Wait(code=WaitFor.WORKER, message=f"No worker that can run {run.crew.title} is up{why}")
    return None


def _suspected(state: QueuedRunState) -> Wait | None:
    if state.retry_at is not None:
        words = _SUSPECTED if state.crashes >= SUSPECTED_CRASHES else _DEFERRED
        return Wait(code=WaitFor.RETRY, message=words, until=state.retry_at)
    if state.isolated:
        words = "Two workers died while they ran it. It is tried once more, by a worker of its own."
        return Wait(code=WaitFor.ALONE, message=words)
    return None


def _in_line(state: QueuedRunState) -> Wait:
    if state.limit is not None and state.working >= state.limit:
        words = (
            f"{state.working} of at most {state.limit} runs of this crew are working. {_ahead(state.ahead)}"
        )
        return Wait(code=WaitFor.LIMIT, message=words, ahead=state.ahead)
    return Wait(code=WaitFor.TURN, message=_ahead(state.ahead), ahead=state.ahead)


def _ahead(number: int) -> str:
    match number:
        case 0:
            return "It is the next one of its crew."
        case 1:
            return "One run of its crew goes before it."
    return f"{number} runs of its crew go before it."
