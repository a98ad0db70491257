"""Questions and answers as events of CrewAI's own bus, for existing listeners."""

from __future__ import annotations

from typing import Any, Literal

from crewai.events.base_events import BaseEvent

from bot.core import ids
from bot.core.events.event import HumanInputCompleted, HumanInputRequired
from bot.core.events.question_events import completed_event, required_event
from bot.core.questions.question import Option, Outcome, Question, QuestionKind, ReasonFlags


class HumanInputRequiredEvent(BaseEvent):
    """A run asks people. The fields of the public contract."""

    type: Literal["human_input_required"] = "human_input_required"
    execution_id: str
    crew_id: str | None = None
    question_id: str
    kind: QuestionKind
    prompt: str
    context: str = ""
    reason_flags: ReasonFlags = ReasonFlags()
    options: tuple[Option, ...] = ()
    round: int | None = None

    @classmethod
    def of(cls, question: Question) -> HumanInputRequiredEvent:
        return cls(**_common(question, "required"), **_body(required_event(question), "deadline_after"))


class HumanInputCompletedEvent(BaseEvent):
    """A question was settled. The fields of the public contract."""

    type: Literal["human_input_completed"] = "human_input_completed"
    execution_id: str
    crew_id: str | None = None
    question_id: str
    kind: QuestionKind
    action: str
    value: Any = None
    human_feedback: str
    answered_by: str | None = None
    surface: str | None = None

    @classmethod
    def of(cls, question: Question, outcome: Outcome) -> HumanInputCompletedEvent:
        return cls(**_common(question, "completed"), **_body(completed_event(question, outcome)))


def _common(question: Question, what: str) -> dict[str, Any]:
    return {
        "execution_id": question.run_id,
        "event_id": ids.part_id(question.run_id, question.id, what),
        "agent_role": question.asker or None,
    }


def _body(body: HumanInputRequired | HumanInputCompleted, *without: str) -> dict[str, Any]:
    return {name: value for name, value in dict(body).items() if name not in {"type", *without}}
