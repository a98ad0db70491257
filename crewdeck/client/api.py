"""The API's operations, as methods."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from pydantic import JsonValue, ValidationError

from crewdeck.client.errors import ApiError
from crewdeck.client.events import Event
from crewdeck.client.http import Http
from crewdeck.client.streams import Stream
from crewdeck.client.values import (
    Answer,
    Crew,
    CrewList,
    Question,
    QuestionList,
    Run,
    RunPage,
    Started,
    Value,
)

Answered = TypeVar("Answered", bound=Value)


class Client:
    """One server, to be used as `async with Client(...) as client:`.

    Every method raises ApiError (the server said no) and Unreachable (there was no answer). A call whose
    answer is lost on the way is made again where that is safe: the server starts a run once for each
    idempotency key, and counts an answer once.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:3000", key: str | None = None, *, patience: float = 60.0
    ) -> None:
        """Make a client; nothing is connected yet.

        `key`: an API key, where the server has keys. `patience`: seconds for which a stream that was cut
        tries to come back before it gives up.
        """
        self._http = Http(url, key)
        self._patience = patience

    async def __aenter__(self) -> Self:
        await self._http.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    @property
    def url(self) -> str:
        return self._http.url

    # ── crews and runs ──────────────────────────────────────────────────────────────────────────────────

    async def crews(self) -> tuple[Crew, ...]:
        """The crews that can be started."""
        return (await self._get(CrewList, "/crews")).crews

    async def start(
        self,
        crew: str,
        inputs: Mapping[str, JsonValue] | None = None,
        *,
        idempotency_key: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Started:
        """Start a run. The same `idempotency_key` again, within a day, is the same run."""
        body = {"crew": crew, "inputs": dict(inputs or {}), **_acting(on_behalf_of)}
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return _read(Started, await self._http.call("POST", "/crew/start", body=body, headers=headers))

    async def run(self, run_id: str) -> Run:
        """A run, with its result and its questions."""
        return await self._get(Run, f"/runs/{_id(run_id)}")

    async def runs(
        self,
        *,
        crew: str | None = None,
        status: str | None = None,
        active: bool | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> RunPage:
        """A page of runs, newest first; `cursor` is the `next` of the page before."""
        wanted = {"crew": crew, "status": status, "cursor": cursor, "limit": str(limit)}
        query = {name: value for name, value in wanted.items() if value is not None}
        if active is not None:
            query["active"] = str(active).lower()
        return await self._get(RunPage, "/runs", query)

    async def cancel(self, run_id: str, *, on_behalf_of: str | None = None) -> Run:
        """Cancel a run. Raises ApiError (run_over) if it has ended."""
        path = f"/runs/{_id(run_id)}/cancel"
        body = _acting(on_behalf_of)
        return _read(Run, await self._http.call("POST", path, body=body, repeatable=False))

    async def retry(self, run_id: str, *, idempotency_key: str | None = None) -> Started:
        """Try a run that failed or was cancelled again, from where it was: a new run.

        The same `idempotency_key` again is the same run. Raises ApiError (run_live, run_completed,
        never_began, journal_expired).
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return _read(Started, await self._http.call("POST", f"/runs/{_id(run_id)}/retry", headers=headers))

    async def delete(self, run_id: str, *, cancel: bool = False) -> None:
        """Delete a run with everything in it; with `cancel` also one that is not over. Needs scope admin."""
        query = {"cancel": str(cancel).lower()}
        await self._http.call("DELETE", f"/runs/{_id(run_id)}", query=query, repeatable=False)

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────

    async def questions(self, limit: int = 200) -> tuple[Question, ...]:
        """The questions that are open, oldest first."""
        query = {"state": "open", "limit": str(limit)}
        return (await self._get(QuestionList, "/questions", query)).questions

    async def question(self, question_id: str) -> Question:
        """A question, with its outcome once it has one."""
        return await self._get(Question, f"/questions/{_id(question_id)}")

    async def answer(
        self,
        question_id: str,
        action: str,
        value: str | None = None,
        comment: str = "",
        *,
        digest: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Answer:
        """Answer a question: approve, reject, choose (`value`: an option's id or label), respond (in words).

        `digest`: that of the question as it was shown (`Question.digest`). Raises ApiError: `settled` says in
        `.outcome` what had been decided before, and by whom; `stale` that something else is asked by now.
        """
        body = {"action": action, "comment": comment, **_digest(digest), **_acting(on_behalf_of)}
        if value is not None:
            body["value"] = value
        return _read(
            Answer, await self._http.call("POST", f"/questions/{_id(question_id)}/answer", body=body)
        )

    async def respond(
        self,
        run_id: str,
        words: str,
        *,
        question_id: str | None = None,
        digest: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Answer:
        """Answer a run's open question with words: exactly a label or an action is that choice.

        Raises ApiError, besides `answer`'s: no_open_question, several_open_questions (then name one).
        """
        body = {"response": words, **_digest(digest), **_acting(on_behalf_of)}
        if question_id is not None:
            body["question_id"] = question_id
        return _read(Answer, await self._http.call("POST", f"/{_id(run_id)}/input", body=body))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────

    def follow(
        self, run_id: str, after: str | None = None, *, lost: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Event]:
        """A run's events from its first one (or behind the one whose `cursor` is `after`) to its last.

        Connections that are cut are made again: no event is missing, and none comes twice. `StreamReset` says
        that a cursor was no good, and that all events come from the start. `lost` is told of each cut.
        """
        return self._follow(f"/events/human-input/{_id(run_id)}", after, lost)

    def inbox(
        self, after: str | None = None, *, lost: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Event]:
        """The question events of all runs: what is open, `SnapshotComplete`, then live, without an end."""
        return self._follow("/events/human-input", after, lost)

    async def _follow(self, path: str, after: str | None, lost: Callable[[], None]) -> AsyncGenerator[Event]:
        async for event in Stream(self._http, path, after or "", self._patience, lost).events():
            yield event

    async def _get(self, kind: type[Answered], path: str, query: Mapping[str, str] | None = None) -> Answered:
        return _read(kind, await self._http.call("GET", path, query=query))


def _acting(on_behalf_of: str | None) -> dict[str, JsonValue]:
    return {} if on_behalf_of is None else {"on_behalf_of": on_behalf_of}


def _digest(digest: str | None) -> dict[str, JsonValue]:
    return {"digest": digest} if digest else {}


def _id(text: str) -> str:
    return quote(text, safe="") or "-"


def _read(kind: type[Answered], body: object) -> Answered:
    try:
        return kind.model_validate(body)
    except ValidationError:
        raise ApiError("no_crewdeck", 200, "What answers there is no Crewdeck.") from None
