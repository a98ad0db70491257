"""The API's operations as calls: what is sent, and how the answer is read. They do no I/O."""

from __future__ import annotations

# ruff: noqa: D103 - the methods of `Client` say what each does
import json
import uuid
from collections.abc import Callable, Mapping
from typing import TypedDict, TypeVar, Unpack
from urllib.parse import quote

from pydantic import JsonValue, ValidationError

from crewdeck.client.errors import ApiError
from crewdeck.client.events import Event, parse
from crewdeck.client.http import Call, is_header_value
from crewdeck.client.records import Record
from crewdeck.client.values import (
    Answer,
    Crew,
    CrewList,
    CrewProblem,
    File,
    FileList,
    Identity,
    IdentityList,
    LinkCode,
    Question,
    QuestionList,
    Run,
    RunPage,
    Started,
    Upload,
    Value,
)

Read = TypeVar("Read", bound=Value)
INBOX = "/events/human-input"
INBOX_SO_FAR = "/poll/human-input"
IDENTITIES = "/me/identities"


class AnswerParts(TypedDict, total=False):
    """The optional parts of an answer; see `Client.answer`."""

    values: Mapping[str, JsonValue] | None
    arguments: Mapping[str, JsonValue] | None
    override: bool
    digest: str | None
    on_behalf_of: str | None
    idempotency_key: str | None


def crews() -> Call[tuple[Crew, ...]]:
    return Call(method="GET", path="/crews", read=lambda body: _reader(CrewList)(body).crews)


def crew_problems() -> Call[tuple[CrewProblem, ...]]:
    return Call(method="GET", path="/crews", read=lambda body: _problems(_reader(CrewList)(body)))


def _problems(known: CrewList) -> tuple[CrewProblem, ...]:
    """What is wrong, and what is only not there yet."""
    words = {"problem": "its worker is starting", "remedy": "Try again in a moment."}
    return (*known.problems, *(CrewProblem(name=each, starting=True, **words) for each in known.starting))


def start(
    crew: str, inputs: Mapping[str, JsonValue] | None, idempotency_key: str | None, on_behalf_of: str | None
) -> Call[Started]:
    return Call(
        method="POST",
        path="/crew/start",
        body={"crew": crew, "inputs": dict(inputs or {}), **_acting(on_behalf_of)},
        headers=_idempotent(idempotency_key),
        read=_reader(Started),
    )


def run(run_id: str) -> Call[Run]:
    return Call(method="GET", path=f"/runs/{_id(run_id)}", read=_reader(Run))


def runs(
    crew: str | None,
    status: str | None,
    active: bool | None,  # noqa: FBT001 - None: both
    limit: int,
    cursor: str | None,
) -> Call[RunPage]:
    wanted = {"crew": crew, "status": status, "cursor": cursor, "limit": str(limit)}
    query = {name: value for name, value in wanted.items() if value is not None}
    if active is not None:
        query["active"] = str(active).lower()
    return Call(method="GET", path="/runs", query=query, read=_reader(RunPage))


def files(run_id: str) -> Call[tuple[File, ...]]:
    return Call(
        method="GET", path=f"/runs/{_id(run_id)}/files", read=lambda body: _reader(FileList)(body).files
    )


def download(run_id: str, file_id: str) -> Call[bytes]:
    path = f"/runs/{_id(run_id)}/files/{_id(file_id)}"
    return Call(method="GET", path=path, read=bytes, raw=True)


def upload(name: str, content: bytes) -> Call[Upload]:
    return Call(
        method="POST",
        path="/files",
        query={"name": name},
        content=content,
        headers={"Content-Type": "application/octet-stream"},
        read=_reader(Upload),
    )


def cancel(run_id: str, on_behalf_of: str | None) -> Call[Run]:
    return Call(
        method="POST",
        path=f"/runs/{_id(run_id)}/cancel",
        body=_acting(on_behalf_of),
        read=_reader(Run),
        repeatable=False,
    )


def retry(run_id: str, idempotency_key: str | None) -> Call[Started]:
    path = f"/runs/{_id(run_id)}/retry"
    return Call(method="POST", path=path, headers=_idempotent(idempotency_key), read=_reader(Started))


def delete(run_id: str, *, cancel: bool) -> Call[None]:
    query = {"cancel": str(cancel).lower()}
    path = f"/runs/{_id(run_id)}"
    return Call(method="DELETE", path=path, query=query, read=lambda _body: None, repeatable=False)


def questions(limit: int) -> Call[tuple[Question, ...]]:
    query = {"state": "open", "limit": str(limit)}
    return Call(
        method="GET", path="/questions", query=query, read=lambda body: _reader(QuestionList)(body).questions
    )


def inbox_so_far(after: str | None) -> Call[tuple[Event, ...]]:
    query = {"last_event_id": after} if after else None
    return Call(method="GET", path=INBOX_SO_FAR, query=query, raw=True, read=_events)


def _events(body: bytes) -> tuple[Event, ...]:
    """The events of a poll, each with its own bytes."""
    text, read = body.decode(), json.JSONDecoder().raw_decode
    at = text.find("[") + 1
    found: list[Event] = []
    while text[at : at + 1] == "{":
        event, end = read(text, at)
        found.append(parse(text[at:end], str(event.get("cursor", ""))))
        at = end + 1  # behind the comma
    return tuple(found)


def question(question_id: str) -> Call[Question]:
    return Call(method="GET", path=f"/questions/{_id(question_id)}", read=_reader(Question))


def answer(
    question_id: str,
    action: str,
    value: str | None,
    comment: str,
    **parts: Unpack[AnswerParts],
) -> Call[Answer]:
    """`parts` that are None or False are left out of the request."""
    said = {"action": action, "value": value, "comment": comment, **parts}
    said |= {name: dict(part) for name, part in said.items() if isinstance(part, Mapping)}
    key = said.pop("idempotency_key", None)
    body: dict[str, JsonValue] = {name: part for name, part in said.items() if part not in (None, False)}  # type: ignore[misc]
    return Call(
        method="POST",
        path=f"/questions/{_id(question_id)}/answer",
        body=body,
        headers=_idempotent(str(key) if key else None),
        read=_reader(Answer),
    )


def record(question_id: str) -> Call[Record]:
    return Call(method="GET", path=f"/questions/{_id(question_id)}/record", read=_reader(Record))


def identities() -> Call[tuple[Identity, ...]]:
    return Call(method="GET", path=IDENTITIES, read=lambda body: _reader(IdentityList)(body).identities)


def link_code() -> Call[LinkCode]:
    return Call(method="POST", path=f"{IDENTITIES}/code", read=_reader(LinkCode), repeatable=False)


def code_bearer(code: str) -> Call[Identity]:
    path = f"{IDENTITIES}/bearer"
    return Call(method="POST", path=path, body={"code": code}, read=_reader(Identity), repeatable=False)


def link(code: str) -> Call[tuple[Identity, ...]]:
    return Call(
        method="POST",
        path=IDENTITIES,
        body={"code": code},
        read=lambda body: _reader(IdentityList)(body).identities,
        repeatable=False,
    )


def unlink(identity: str) -> Call[tuple[Identity, ...]]:
    return Call(
        method="DELETE",
        path=IDENTITIES,
        query={"identity": identity},
        read=lambda body: _reader(IdentityList)(body).identities,
        repeatable=False,
    )


def respond(
    run_id: str,
    words: str,
    question_id: str | None,
    digest: str | None,
    on_behalf_of: str | None,
    idempotency_key: str | None,
) -> Call[Answer]:
    body = {"response": words, **_digest(digest), **_acting(on_behalf_of)}
    if question_id is not None:
        body["question_id"] = question_id
    return Call(
        method="POST",
        path=f"/{_id(run_id)}/input",
        body=body,
        headers=_idempotent(idempotency_key),
        read=_reader(Answer),
    )


def events_of(run_id: str) -> str:
    """The path of a run's stream."""
    return f"{INBOX}/{_id(run_id)}"


def _idempotent(key: str | None) -> dict[str, str]:
    if key and not is_header_value(key):
        raise ApiError("invalid_idempotency_key", 400, "An Idempotency-Key is printable ASCII characters.")
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def _acting(on_behalf_of: str | None) -> dict[str, JsonValue]:
    return {} if on_behalf_of is None else {"on_behalf_of": on_behalf_of}


def _digest(digest: str | None) -> dict[str, JsonValue]:
    return {"digest": digest} if digest else {}


def _id(text: str) -> str:
    return quote(text, safe="") or "-"


def _reader(kind: type[Read]) -> Callable[[object], Read]:
    def read(body: object) -> Read:
        try:
            return kind.model_validate(body)
        except ValidationError:
            raise ApiError("no_crewdeck", 200, "What answers there is no Crewdeck.") from None

    return read
