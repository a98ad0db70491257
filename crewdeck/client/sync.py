"""The client for programs without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from types import TracebackType
from typing import Self, Unpack

from pydantic import JsonValue

from crewdeck.client import operations
from crewdeck.client.events import Event
from crewdeck.client.http import Http
from crewdeck.client.operations import AnswerParts
from crewdeck.client.records import Record
from crewdeck.client.streams import follow
from crewdeck.client.values import (
    Answer,
    Crew,
    CrewProblem,
    File,
    Identity,
    LinkCode,
    Question,
    Run,
    RunPage,
    Started,
    Upload,
)


class SyncClient:
    """The methods of `Client`, for programs without an event loop: `with SyncClient(...) as client:`.

    A stream is a generator, which waits while there is nothing new. Threads may share a client.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:3000", key: str | None = None, *, reconnect_timeout: float = 60.0
    ) -> None:
        self._http = Http(url, key)
        self._reconnect_timeout = reconnect_timeout

    def __enter__(self) -> Self:
        self._http.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        return self._http.server.url

    # ── crews and runs ──────────────────────────────────────────────────────────────────────────────────

    def crews(self) -> tuple[Crew, ...]:
        return self._http.call(operations.crews())

    def crew_problems(self) -> tuple[CrewProblem, ...]:
        return self._http.call(operations.crew_problems())

    def start(
        self,
        crew: str,
        inputs: Mapping[str, JsonValue] | None = None,
        *,
        idempotency_key: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Started:
        return self._http.call(operations.start(crew, inputs, idempotency_key, on_behalf_of))

    def run(self, run_id: str) -> Run:
        return self._http.call(operations.run(run_id))

    def runs(
        self,
        *,
        crew: str | None = None,
        status: str | None = None,
        active: bool | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> RunPage:
        return self._http.call(operations.runs(crew, status, active, limit, cursor))

    def cancel(self, run_id: str, *, on_behalf_of: str | None = None) -> Run:
        return self._http.call(operations.cancel(run_id, on_behalf_of))

    def retry(self, run_id: str, *, idempotency_key: str | None = None) -> Started:
        return self._http.call(operations.retry(run_id, idempotency_key))

    def delete(self, run_id: str, *, cancel: bool = False) -> None:
        self._http.call(operations.delete(run_id, cancel=cancel))

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────

    def files(self, run_id: str) -> tuple[File, ...]:
        return self._http.call(operations.files(run_id))

    def download(self, run_id: str, file_id: str) -> bytes:
        return self._http.call(operations.download(run_id, file_id))

    def upload(self, name: str, content: bytes) -> Upload:
        return self._http.call(operations.upload(name, content))

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────

    def questions(self, limit: int = 200) -> tuple[Question, ...]:
        return self._http.call(operations.questions(limit))

    def question(self, question_id: str) -> Question:
        return self._http.call(operations.question(question_id))

    def answer(
        self,
        question_id: str,
        action: str,
        value: str | None = None,
        comment: str = "",
        **parts: Unpack[AnswerParts],
    ) -> Answer:
        return self._http.call(operations.answer(question_id, action, value, comment, **parts))

    def record(self, question_id: str) -> Record:
        return self._http.call(operations.record(question_id))

    def respond(
        self,
        run_id: str,
        words: str,
        *,
        question_id: str | None = None,
        digest: str | None = None,
        on_behalf_of: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        return self._http.call(
            operations.respond(run_id, words, question_id, digest, on_behalf_of, idempotency_key)
        )

    # ── identities ──────────────────────────────────────────────────────────────────────────────────────

    def identities(self) -> tuple[Identity, ...]:
        return self._http.call(operations.identities())

    def link_code(self) -> LinkCode:
        return self._http.call(operations.link_code())

    def code_bearer(self, code: str) -> Identity:
        return self._http.call(operations.code_bearer(code))

    def link(self, code: str) -> tuple[Identity, ...]:
        return self._http.call(operations.link(code))

    def unlink(self, identity: str) -> tuple[Identity, ...]:
        return self._http.call(operations.unlink(identity))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────

    def follow(
        self, run_id: str, after: str | None = None, *, lost: Callable[[], None] = lambda: None
    ) -> Generator[Event]:
        return follow(self._http, operations.events_of(run_id), after or "", self._reconnect_timeout, lost)

    def inbox_so_far(self, after: str | None = None) -> tuple[Event, ...]:
        return self._http.call(operations.inbox_so_far(after))

    def inbox(self, after: str | None = None, *, lost: Callable[[], None] = lambda: None) -> Generator[Event]:
        return follow(self._http, operations.INBOX, after or "", self._reconnect_timeout, lost)
