"""What a queued run is waiting for, in a word for programs and a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from bot.core.run import Run, RunStatus
from bot.core.value import Value


class Offer(Value):
    """What a worker said that it runs."""

    #: By name; how many of its runs may work at once, where that is limited.
    crews: dict[str, int | None]
    #: Seconds: a worker that was not seen for longer is taken for dead.
    lease: float


class WaitFor(StrEnum):
    """What a queued run can be waiting for."""

    #: Its thread is being opened.
    PLACE = "place"
    #: Its workspace is paused.
    PAUSED = "paused"
    #: It is tried again later.
    RETRY = "retry"
    #: No worker that is alive runs this crew.
    WORKER = "worker"
    #: As many runs of its crew work as may.
    LIMIT = "limit"
    #: Two workers died of it, so it waits for one of its own.
    ALONE = "alone"
    #: Others are before it.
    TURN = "turn"


class Facts(Value):
    """What the store knows of a queued run's wait."""

    #: Why its workspace is paused.
    paused: str | None = None
    #: When it is tried again.
    retry_at: int | None = None
    #: How many live workers run its crew.
    workers: int = 0
    #: How many runs of its crew may work at once, and how many do.
    limit: int | None = None
    working: int = 0
    alone: bool = False
    #: How many runs of its crew go before it.
    ahead: int = 0


class Wait(Value):
    """What a queued run is waiting for."""

    code: WaitFor
    message: str
    #: With `turn`, and with `limit`: how many runs of its crew go before it.
    ahead: int | None = None
    #: With `retry`: when, in milliseconds since the epoch.
    until: int | None = None


def wait_of(run: Run, facts: Facts) -> Wait | None:
    """What a run waits for; None if it isn't queued. Of several reasons the one that lasts."""
    if run.status is not RunStatus.QUEUED:
        return None
    return _out_of_line(run, facts) or _suspected(facts) or _in_line(facts)


def _out_of_line(run: Run, facts: Facts) -> Wait | None:
    if run.awaiting_thread:
        return Wait(code=WaitFor.PLACE, message="Its thread is being opened.")
    if facts.paused is not None:
        why = f": {facts.paused}" if facts.paused else "."
        return Wait(code=WaitFor.PAUSED, message=f"Its workspace is paused{why}")
    if not facts.workers:
        return Wait(code=WaitFor.WORKER, message=f"No worker that can run {run.crew.title} is up.")
    return None


def _suspected(facts: Facts) -> Wait | None:
    if facts.retry_at is not None:
        words = "Two workers died while they ran it. It is tried once more in a few seconds."
        return Wait(code=WaitFor.RETRY, message=words, until=facts.retry_at)
    if facts.alone:
        words = "Two workers died while they ran it. It is tried once more, by a worker of its own."
        return Wait(code=WaitFor.ALONE, message=words)
    return None


def _in_line(facts: Facts) -> Wait:
    if facts.limit is not None and facts.working >= facts.limit:
        words = (
            f"{facts.working} of at most {facts.limit} runs of this crew are working. {_ahead(facts.ahead)}"
        )
        return Wait(code=WaitFor.LIMIT, message=words, ahead=facts.ahead)
    return Wait(code=WaitFor.TURN, message=_ahead(facts.ahead), ahead=facts.ahead)


def _ahead(number: int) -> str:
    match number:
        case 0:
            return "It is the next one of its crew."
        case 1:
            return "One run of its crew goes before it."
    return f"{number} runs of its crew go before it."
