"""Lists of runs and questions in pages, and the totals of the store."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from bot.core.questions.question import Question
from bot.core.runs.run import Run, RunStatus
from bot.core.value import Value

Limit = Annotated[int, Field(ge=1, le=1000)]


class RunFilter(Value):
    """A filter of runs."""

    requester: str | None = None
    group: str | None = None
    crew: str | None = None
    active: bool | None = None
    status: RunStatus | None = None
    limit: Limit = 20
    #: Only runs created before the run with this `Run.cursor`.
    before: str | None = None


class RunPage(NamedTuple):
    """One page, newest first. It can be short although others follow."""

    runs: list[Run]
    #: `RunFilter.before` of the next page; None on the last page.
    next: str | None


class QuestionPage(NamedTuple):
    """One page. It can be short although others follow."""

    questions: list[Question]
    #: The `after` of the next page; None on the last page.
    next: str | None


class Totals(Value):
    """Totals of the whole store, for `/metrics` and `/ready`."""

    runs: dict[str, int]
    #: Queued runs by queue (`<kind>:<crew>`, see `bot.core.runs.fair_queue`).
    queued: dict[str, int]
    questions_open: int
    oldest_question_at: int | None
    answers: dict[str, int]
    #: Questions that people settled within so many seconds (cumulative), and the sum of the seconds.
    #: Questions that expired are not counted.
    answer_seconds: dict[str, int]
    answer_seconds_sum: float
    #: When each live worker was last seen.
    workers: dict[str, int]
    #: Connected replicas; with several primaries, the smallest number among them.
    replicas: int
