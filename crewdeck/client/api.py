"""The client for asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import Self

from pydantic import JsonValue

from crewdeck.client import operations
from crewdeck.client.events import Event
from crewdeck.client.http import AsyncHttp
from crewdeck.client.streams import follow_async
from crewdeck.client.values import Answer, Crew, Question, Run, RunPage, Started


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
        self._http = AsyncHttp(url, key)
        self._patience = patience

    async def __aenter__(self) -> Self:
        self._http.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    @property
    def url(self) -> str:
        return self._http.server.url

    # ── crews and runs ──────────────────────────────────────────────────────────────────────────────────

    async def crews(self) -> tuple[Crew, ...]:
        """The crews that can be started."""
        return await self._http.call(operations.crews())

    async def start(
        self,
        crew: str,
        inputs: Mapping[str, JsonValue] | None = None,
        *,
        idempotency_key: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Started:
        """Start a run. The same `idempotency_key` again, within a day, is the same run."""
        return await self._http.call(operations.start(crew, inputs, idempotency_key, on_behalf_of))

    async def run(self, run_id: str) -> Run:
        """A run, with its result and its questions."""
        return await self._http.call(operations.run(run_id))

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
        return await self._http.call(operations.runs(crew, status, active, limit, cursor))

    async def cancel(self, run_id: str, *, on_behalf_of: str | None = None) -> Run:
        """Cancel a run. Raises ApiError (run_over) if it has ended."""
        return await self._http.call(operations.cancel(run_id, on_behalf_of))

    async def retry(self, run_id: str, *, idempotency_key: str | None = None) -> Started:
        """Try a run that failed or was cancelled again, from where it was: a new run.

        The same `idempotency_key` again is the same run. Raises ApiError (run_live, run_completed,
        never_began, journal_expired).
        """
        return await self._http.call(operations.retry(run_id, idempotency_key))

    async def delete(self, run_id: str, *, cancel: bool = False) -> None:
        """Delete a run with everything in it; with `cancel` also one that is not over. Needs scope admin."""
        await self._http.call(operations.delete(run_id, cancel=cancel))

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────

    async def questions(self, limit: int = 200) -> tuple[Question, ...]:
        """The questions that are open, oldest first."""
        return await self._http.call(operations.questions(limit))

    async def question(self, question_id: str) -> Question:
        """A question, with its outcome once it has one."""
        return await self._http.call(operations.question(question_id))

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
        call = operations.answer(question_id, action, value, comment, digest, on_behalf_of)
        return await self._http.call(call)

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
        return await self._http.call(operations.respond(run_id, words, question_id, digest, on_behalf_of))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────

    def follow(
        self, run_id: str, after: str | None = None, *, lost: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Event]:
        """A run's events from its first one (or behind the one whose `cursor` is `after`) to its last.

        Connections that are cut are made again: no event is missing, and none comes twice. `StreamReset` says
        that a cursor was no good, and that all events come from the start. `lost` is told of each cut.
        """
        return follow_async(self._http, operations.events_of(run_id), after or "", self._patience, lost)

    def inbox(
        self, after: str | None = None, *, lost: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Event]:
        """The question events of all runs: what is open, `SnapshotComplete`, then live, without an end."""
        return follow_async(self._http, operations.INBOX, after or "", self._patience, lost)
