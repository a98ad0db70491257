"""How values are written to Redis and read back."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from bot.core.model import Actor, Question, Response, Run

AWAITING_THREAD = "awaiting_thread"
"""The state of a run for which its surface opens a thread (`scripts/prelude.lua` has them all)."""

#: The fields of a run that are stored apart from its specification, as JSON or as they are.
_RUN_JSON = ("place", "error", "cancelled_by")
_RUN_PLAIN = ("status", "created_at", "started_at", "finished_at", "result", "seq", "epoch", "worked")
RUN_FIELDS = ("spec", "state", *_RUN_JSON, *_RUN_PLAIN)
RUN_SPEC = {"id", "crew", "inputs", "requester", "approvers", "cancellers", "retry_of", "followers"}

QUESTION_FIELDS = ("spec", "outcome", "created_at", "deadline_at", "settled_at")
#: What the store adds to a question, and so is not part of its specification.
QUESTION_OWN = {"created_at", "deadline_at", "settled_at", "outcome"}


def ms(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return round(seconds * 1000)


def new_call() -> str:
    """A name for one call of a transition, so that it is known again when it is sent twice."""
    return uuid4().hex


def dump(value: BaseModel, **how: Any) -> str:
    """A value as JSON."""
    return value.model_dump_json(**how)


def read_run(stored: list[str | None]) -> Run | None:
    """A run from its RUN_FIELDS; None if there is none."""
    fields = dict(zip(RUN_FIELDS, stored, strict=True))
    spec, state = fields.pop("spec"), fields.pop("state")
    if spec is None:
        return None
    document = json.loads(spec) | {"held": state == AWAITING_THREAD}
    for name, value in fields.items():
        if value is not None:
            document[name] = json.loads(value) if name in _RUN_JSON else value
    return Run.model_validate(document)


def read_question(stored: list[str | None]) -> Question | None:
    """A question from its QUESTION_FIELDS; None if there is none."""
    fields = dict(zip(QUESTION_FIELDS, stored, strict=True))
    spec, outcome = fields.pop("spec"), fields.pop("outcome")
    if spec is None:
        return None
    document = json.loads(spec) | {name: value for name, value in fields.items() if value is not None}
    if outcome is not None:
        document["outcome"] = json.loads(outcome)
    return Question.model_validate(document)


# ── what the rules of the scripts see ───────────────────────────────────────────────────────────────────


def actor_view(actor: Actor) -> dict[str, Any]:
    """What `may` reads of an actor."""
    return {"admin": actor.admin, "standing": actor.standing, "principals": actor.principals}


def response_view(response: Response) -> dict[str, Any]:
    """What `admissible` reads of a response. Option ids are text: any other value chooses nothing."""
    view = {
        "action": response.action,
        "words": response.comment.strip(),
        "actor": actor_view(response.actor),
    }
    return view | ({"value": response.value} if isinstance(response.value, str) else {})


def question_view(question: Question) -> dict[str, Any]:
    """What both read of a question."""
    return {
        "kind": question.kind,
        "options": [option.id for option in question.options],
        "policy": question.policy.model_dump(mode="json"),
    }
