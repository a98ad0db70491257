"""The public contract: the exact JSON of every event, and what readers must tolerate."""

import json
from typing import Any

import pytest

from bot.core.events.event import (
    Body,
    Event,
    HumanInputReminded,
    RunCancelled,
    RunChanged,
    RunCompleted,
    RunFailed,
    RunStarted,
    TaskCompleted,
    TaskStarted,
    Unknown,
    parse_body,
)
from bot.core.events.question_events import completed_event, required_event
from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions import decision
from bot.core.questions.question import Action, Deadline, Option, Outcome, Question, QuestionKind, ReasonFlags
from bot.core.runs.run import RunError

RUN = "8a1c9a3e-0e0c-5c35-9a0e-3f6f1d9b7c11"
AT = 1_774_951_200_123
ADA = Actor(surface="slack", tenant="T1", user_id="U1", name="Ada")
QUESTION = Question(
    id="q1",
    run_id=RUN,
    kind=QuestionKind.CHOICE,
    prompt="Which one?",
    context="Two drafts.",
    options=(Option(id="1", label="Tea"), Option(id="2", label="Coffee")),
    reason=ReasonFlags(ambiguity=True),
    crew_id="c1",
    task_id="t1",
    agent_id="a1",
    policy=Policy(deciders=("slack:T1:U1",)),
    deadline=Deadline(after=60),
)
TASK: dict[str, Any] = {
    "crew_id": "c1",
    "task_id": "t1",
    "agent_id": "a1",
    "task": "Write",
    "agent": "Writer",
    "number": 1,
    "total": 2,
}
FRAME = {
    "execution_id": RUN,
    "seq": 4,
    "timestamp": "2026-03-31T10:00:00.123Z",
    "event_id": "5c7d3480-beee-8fff-8370-68c300000004",
}

GOLDEN: list[tuple[Body, dict[str, Any]]] = [
    (
        RunStarted(crew_id="c1", crew="demo", title="Demo", inputs={"topic": "mills"}, requester="Ada"),
        {
            "type": "run_started",
            "crew_id": "c1",
            "crew": "demo",
            "title": "Demo",
            "inputs": {"topic": "mills"},
            "requester": "Ada",
        },
    ),
    (TaskStarted(**TASK), {"type": "task_started", **TASK}),
    (TaskCompleted(**TASK), {"type": "task_completed", **TASK}),
    (
        RunChanged(crew_id="c1", change="Goes on with gpt-5.5."),
        {"type": "run_changed", "crew_id": "c1", "change": "Goes on with gpt-5.5."},
    ),
    (
        required_event(QUESTION),
        {
            "type": "human_input_required",
            "question_id": "q1",
            "crew_id": "c1",
            "task_id": "t1",
            "agent_id": "a1",
            "kind": "choice",
            "prompt": "Which one?",
            "context": "Two drafts.",
            "reason_flags": {"ambiguity": True, "missing_field": False},
            "options": [{"id": "1", "label": "Tea"}, {"id": "2", "label": "Coffee"}],
            "round": None,
            "deadline": "2026-03-31T10:01:00.123Z",
            "form": None,
            "action": None,
            "policy": None,
        },
    ),
    (
        completed_event(QUESTION, Outcome(action=Action.CHOOSE, value="2", by=ADA)),
        {
            "type": "human_input_completed",
            "question_id": "q1",
            "crew_id": "c1",
            "task_id": "t1",
            "agent_id": "a1",
            "kind": "choice",
            "action": "choose",
            "value": "2",
            "human_feedback": "Coffee",
            "answered_by": "Ada",
            "surface": "slack",
            "values": None,
            "arguments": None,
            "responses": [],
            "override": False,
        },
    ),
    (
        completed_event(QUESTION, decision.WITHDRAWN),
        {
            "type": "human_input_completed",
            "question_id": "q1",
            "crew_id": "c1",
            "task_id": "t1",
            "agent_id": "a1",
            "kind": "choice",
            "action": "cancel",
            "value": None,
            "human_feedback": "Withdrawn: the run ended",
            "answered_by": None,
            "surface": None,
            "values": None,
            "arguments": None,
            "responses": [],
            "override": False,
        },
    ),
    (
        HumanInputReminded(question_id="q1"),
        {"type": "human_input_reminded", "question_id": "q1", "progress": None},
    ),
    (RunCompleted(result="# Mills"), {"type": "run_completed", "result": "# Mills"}),
    (
        RunFailed(error=RunError(code="timeout", message="It took too long.")),
        {"type": "run_failed", "error": {"code": "timeout", "message": "It took too long."}},
    ),
    (RunCancelled(cancelled_by="Ada"), {"type": "run_cancelled", "cancelled_by": "Ada"}),
]


def event(body: Body) -> Event:
    return Event(run_id=RUN, seq=4, at=AT, body=body)


@pytest.mark.parametrize(("body", "public"), GOLDEN, ids=[str(public["type"]) for _, public in GOLDEN])
def test_the_public_json_of_each_event(body: Body, public: dict[str, Any]) -> None:
    assert event(body).public() == FRAME | public


@pytest.mark.parametrize("body", [body for body, _ in GOLDEN])
def test_what_is_stored_is_read_back(body: Body) -> None:
    assert parse_body(body.model_dump_json()) == body


@pytest.mark.parametrize("body", [body for body, _ in GOLDEN])
def test_fields_of_a_newer_release_are_ignored(body: Body) -> None:
    newer = json.dumps(json.loads(body.model_dump_json()) | {"mood": "sunny"})
    assert parse_body(newer) == body


def test_a_type_of_a_newer_release_is_passed_on() -> None:
    body = parse_body('{"type": "tool_called", "tool": "search"}')
    assert body == Unknown(type="tool_called", fields={"tool": "search"})
    assert event(body).public() == FRAME | {"type": "tool_called", "tool": "search"}
    assert not event(body).last


def test_a_known_type_with_a_shape_of_another_release_is_passed_on() -> None:
    body = parse_body('{"type": "run_failed", "error": "text"}')
    assert event(body).public() == FRAME | {"type": "run_failed", "error": "text"}


def test_the_last_event_is_one_of_three() -> None:
    last = {body.type for body, _ in GOLDEN if event(body).last}
    assert last == {"run_completed", "run_failed", "run_cancelled"}


def test_a_question_without_deadline_says_so() -> None:
    patient = required_event(QUESTION.model_copy(update={"deadline": Deadline()}))
    assert event(patient).public()["deadline"] is None
