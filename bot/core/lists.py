"""What the store lists and counts: which runs, page by page, and figures of all."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from bot.core.question import Question
from bot.core.run import Run, RunStatus
from bot.core.value import Value

Limit = Annotated[int, Field(ge=1, le=1000)]


class RunFilter(Value):
    """Which runs a list holds; newest first."""

    requester: str | None = None
    group: str | None = None
    crew: str | None = None
    active: bool | None = None
    status: RunStatus | None = None
    limit: Limit = 20
    #: Only runs created before the one whose `Run.cursor` this is.
    before: str | None = None


class RunPage(NamedTuple):
    """A part of a list. It can be short although more follows."""

    runs: list[Run]
    #: `RunFilter.before` of the next page; None: nothing follows.
    next: str | None


class QuestionPage(NamedTuple):
    """A part of a list. It can be short although more follows."""

    questions: list[Question]
    #: Where the next page goes on; None: nothing follows.
    next: str | None


class Totals(Value):
    """Figures of the whole store, for `/metrics` and `/ready`."""

    runs: dict[str, int]
    #: Runs that wait to be taken, by line (`<kind>:<crew>`, see `bot.core.turns`).
    queued: dict[str, int]
    questions_open: int
    oldest_question_at: int | None
    answers: dict[str, int]
    #: How many questions people settled within so many seconds (cumulative), and the sum of the seconds.
    #: What deadlines settled is not in it.
    answer_seconds: dict[str, int]
    answer_seconds_sum: float
    #: When each live worker was last seen.
    workers: dict[str, int]
    #: How many replicas the store has; of several primaries, the one with the fewest.
    replicas: int
