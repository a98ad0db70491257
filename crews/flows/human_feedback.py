"""Questions of flows: `@human_feedback` and `ask`."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Protocol

from crewai.flow.human_feedback import HumanFeedbackResult

from bot.core.questions.question import Action, Deadline, Question, QuestionKind, Source
from bot.core.runs.run import RunError
from crews.flows.feedback_spec import FeedbackSpec, feedback, follow_up_prompt
from crews.flows.output_text import text_of
from crews.run.context import CURRENT, RunContext
from crews.run.questions import Asking, anew

_TIMEOUT: ContextVar[float | None] = ContextVar("crewdeck_ask_timeout", default=None)
"""What `ask` was given; CrewAI doesn't tell its provider."""


class DeclaredFeedback(Protocol):
    """What `@human_feedback` declares, as CrewAI keeps it."""

    @property
    def message(self) -> str: ...

    @property
    def emit(self) -> Sequence[str] | None: ...

    @property
    def default_outcome(self) -> str | None: ...

    @property
    def metadata(self) -> Mapping[str, Any] | None: ...


def feedback_spec_of(declared: DeclaredFeedback) -> FeedbackSpec:
    """The declaration of a method as a FeedbackSpec."""
    return FeedbackSpec(declared.message, tuple(declared.emit or ()), declared.default_outcome)


def review_of(run: RunContext, wanted: FeedbackSpec, output: Any) -> Asking:
    """The question that asks people for feedback on a method's output."""
    return Asking(
        kind=wanted.kind,
        prompt=wanted.message,
        context=text_of(output),
        labels=wanted.labels,
        source=Source.TASK,
        task=run.identity.task(None),
        asker=run.claim.run.crew.title,
    )


async def feedback_on(
    run: RunContext, name: str, declared: DeclaredFeedback, output: Any, code: str
) -> HumanFeedbackResult:
    """Ask people for feedback on a method's output. Raises RunExit; the run ends if nobody answers in time.

    `code`: what goes on with an approval, as a fingerprint.
    """
    wanted = feedback_spec_of(declared)
    asking = replace(review_of(run, wanted, output), code=code if wanted.emit else "")
    question = await run.questions.ask(asking)
    words: list[str] = []
    while wanted.emit:
        if _in_words(question):
            words.append(question.outcome.comment.strip() if question.outcome else "")
            again = replace(asking, prompt=follow_up_prompt(wanted.message, question))
        elif wanted.approved(question) and run.questions.is_for_other_code(question, code):
            again = anew(asking)
        else:
            break
        question = await run.questions.ask(again)
    outcome = wanted.outcome(question) if wanted.emit else None
    if outcome is None and (wanted.emit or not _in_words(question)):
        raise run.stop(
            RunError(code="expired", message=f"Nobody answered before the deadline: {wanted.message}")
        )
    return HumanFeedbackResult(
        output=output,
        feedback=feedback(words, question, outcome),
        outcome=outcome,
        method_name=name,
        metadata=dict(declared.metadata or {}),
    )


def _in_words(question: Question) -> bool:
    return question.outcome is not None and question.outcome.action is Action.RESPOND


class InputProvider:
    """CrewAI's provider of input for `ask`. It blocks its thread until people have answered."""

    def request_input(self, message: str, flow: Any, metadata: dict[str, Any] | None = None) -> str | None:  # noqa: ARG002
        run = CURRENT.get()
        if run is None:
            return None
        title = run.claim.run.crew.title
        asking = Asking(
            kind=QuestionKind.TEXT,
            prompt=message,
            source=Source.TASK,
            task=run.identity.task(None),
            asker=title,
            deadline=_deadline(run.claim.run.crew.deadline(QuestionKind.TEXT), _TIMEOUT.get()),
        )
        outcome = run.questions.ask_in_thread(asking).outcome
        return outcome.comment if outcome is not None and outcome.action is Action.RESPOND else None


@contextmanager
def within(timeout: float | None) -> Iterator[None]:
    """Questions that are asked in the block have a deadline of so many seconds."""
    token = _TIMEOUT.set(timeout)
    try:
        yield
    finally:
        _TIMEOUT.reset(token)


def _deadline(general: Deadline, timeout: float | None) -> Deadline:
    if timeout is None:
        return general
    after = max(1, math.ceil(timeout))
    remind = general.remind_after if (general.remind_after or after) < after else None
    return Deadline(after=after, remind_after=remind)
