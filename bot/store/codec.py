"""Conversion between values and their records in Redis."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bot.core.errors import UnreadableRecord
from bot.core.events.event import Body
from bot.core.questions.question import Question
from bot.core.questions.response import Response, parse_response
from bot.core.runs.run import NewRun, Run
from bot.store import redis_keys

Dated = TypeVar("Dated", bound=BaseModel)

AWAITING_THREAD = "awaiting_thread"
"""The state of a run whose surface opens a thread for it (all states: `scripts/prelude.lua`)."""

#: The fields of a run that are stored apart from its specification, as JSON or as they are.
_RUN_JSON = ("place", "error", "cancelled_by")
_RUN_PLAIN = ("status", "created_at", "started_at", "finished_at", "result", "seq", "epoch", "worked")
RUN_FIELDS = ("version", "spec", "state", *_RUN_JSON, *_RUN_PLAIN)
RUN_SPEC = {"id", "crew", "inputs", "requester", "approvers", "cancellers", "retry_of", "followers"}

QUESTION_FIELDS = ("version", "spec", "outcome", "created_at", "deadline_at", "settled_at", "progress")
#: What the store adds to a question, and so is not part of its specification.
QUESTION_OWN = {"created_at", "deadline_at", "settled_at", "outcome", "progress"}


def ms(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return round(seconds * 1000)


def new_call() -> str:
    """The id of one call of a transition, by which a repeated call is recognised."""
    return os.urandom(16).hex()


def dump(value: BaseModel, **how: Any) -> str:
    """A value as JSON."""
    return value.model_dump_json(**how)


def event_name(event: Body, written: str, key: str | None) -> str:
    """What an event of a run is known by, so that it is recorded once."""
    return f"{event.type}:{key or hashlib.sha256(written.encode()).hexdigest()[:32]}"


class SentRun:
    """A request to start a run, and its specification as it is stored."""

    def __init__(self, new: NewRun) -> None:
        self.spec = dump(new, include=RUN_SPEC)
        self._parts = {name: getattr(new, name) for name in RUN_SPEC}

    def parts_of(self, spec: str) -> dict[str, Any]:
        """What a stored specification says: the request's own values if it is this one, else JSON."""
        return dict(self._parts) if spec == self.spec else _parsed(spec)


def _parsed(spec: str) -> dict[str, Any]:
    parts: dict[str, Any] = json.loads(spec)
    return parts


def read_run(run_id: str, stored: Sequence[str | None], sent: SentRun | None = None) -> Run | None:
    """A run from its RUN_FIELDS; None if there is none. Raises UnreadableRecord.

    What has just been `sent` needn't be parsed: of a crew with its inputs that is most of the work.
    """
    fields = dict(zip(RUN_FIELDS, stored, strict=True))
    version, spec, state = fields.pop("version"), fields.pop("spec"), fields.pop("state")
    if spec is None:
        return None
    with _reading("run", run_id, version):
        document = sent.parts_of(spec) if sent else _parsed(spec)
        document["awaiting_thread"] = state == AWAITING_THREAD
        for name, value in fields.items():
            if value is not None:
                document[name] = json.loads(value) if name in _RUN_JSON else value
        return Run.model_validate(document)


def read_question(question_id: str, stored: Sequence[str | None]) -> Question | None:
    """A question from its QUESTION_FIELDS; None if there is none. Raises UnreadableRecord."""
    fields = dict(zip(QUESTION_FIELDS, stored, strict=True))
    version, spec, outcome = fields.pop("version"), fields.pop("spec"), fields.pop("outcome")
    if spec is None:
        return None
    with _reading("question", question_id, version):
        document = json.loads(spec) | {name: value for name, value in fields.items() if value is not None}
        if outcome is not None:
            document["outcome"] = json.loads(outcome)
        if "progress" in document:
            document["progress"] = json.loads(document["progress"])
        if version is None:  # the first release's digest covered less
            document.pop("digest", None)
        return Question.model_validate(document)


def read_version(question: Question, stored: str) -> Question:
    """What a question asked before an edit. Raises UnreadableRecord."""
    with _reading("version", f"of question {question.id}", None):
        return Question.model_validate(json.loads(stored) | {"created_at": question.created_at})


def read_dated(kind: str, name: str, stored: str, into: type[Dated]) -> Dated:
    """A value that a script stored behind its time: `<ms> <JSON>`. Raises UnreadableRecord."""
    with _reading(kind, name, None):
        at, _, document = stored.partition(" ")
        return into.model_validate(json.loads(document) | {"at": int(at)})


def read_response(question_id: str, stored: str) -> Response:
    """A response to this question. Raises UnreadableRecord."""
    with _reading("response", f"to question {question_id}", None):
        return parse_response(stored)


def check_run_version(run_id: str, version: str | None) -> None:
    """Raises UnreadableRecord if a newer release wrote the run, or one of its questions."""
    with _reading("run", run_id, version):
        pass


def newer_run(run_id: str) -> UnreadableRecord:
    """The error for a run that a newer release wrote, or one of whose questions it wrote."""
    return UnreadableRecord("run", run_id, "a newer release wrote it, or one of its questions")


@contextmanager
def _reading(kind: str, name: str, version: str | None) -> Iterator[None]:
    """Raise UnreadableRecord if the block reads a record of a newer release, or a damaged one."""
    try:
        if int(version or 1) > redis_keys.RECORD:
            raise UnreadableRecord(
                kind, name, f"it has version {version}, and this release reads {redis_keys.RECORD}"
            )
        yield
    except ValidationError as error:
        raise UnreadableRecord(kind, name, _why(error)) from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableRecord(kind, name, f"it is damaged ({type(error).__name__})") from error


def _why(error: ValidationError) -> str:
    """The location of the error, without the stored value."""
    where = [".".join(map(str, each["loc"])) for each in error.errors(include_input=False, include_url=False)]
    return f"this release does not understand {', '.join(filter(None, where[:3])) or 'its form'}"
