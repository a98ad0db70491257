"""The client for asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import Self, Unpack

from pydantic import JsonValue

from crewdeck.client import operations
from crewdeck.client.events import Event
from crewdeck.client.http import AsyncHttp
from crewdeck.client.operations import AnswerParts
from crewdeck.client.records import Record
from crewdeck.client.streams import follow_async
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


class Client:
    """One server, to be used as `async with Client(...) as client:`.

    Every method raises ApiError (the server said no) and Unreachable (there was no answer). A call whose
    answer is lost on the way is made again where that is safe: the server starts a run once for each
    idempotency key, and counts an answer once.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:3000", key: str | None = None, *, reconnect_timeout: float = 60.0
    ) -> None:
        """Make a client; nothing is connected yet.

        `key`: an API key, where the server has keys. `reconnect_timeout`: seconds for which a stream that was
        cut tries to come back before it gives up.
        """
        self._http = AsyncHttp(url, key)
        self._reconnect_timeout = reconnect_timeout

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

    async def crew_problems(self) -> tuple[CrewProblem, ...]:
        """Why other crews can't be started: what is wrong with them, or that their worker is starting."""
        return await self._http.call(operations.crew_problems())

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

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────

    async def files(self, run_id: str) -> tuple[File, ...]:
        """The files of a run: those that its crew made, and those that it was started with."""
        return await self._http.call(operations.files(run_id))

    async def download(self, run_id: str, file_id: str) -> bytes:
        """The content of a file. Raises ApiError (unknown_file)."""
        return await self._http.call(operations.download(run_id, file_id))

    async def upload(self, name: str, content: bytes) -> Upload:
        """Upload a file for an input of type `file`: `start(crew, {"doc": uploaded.file_id})`.

        It is kept for an hour, and only for this caller. Raises ApiError (file_too_large).
        """
        return await self._http.call(operations.upload(name, content))

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
        **parts: Unpack[AnswerParts],
    ) -> Answer:
        """Answer a question.

        `action`: approve, reject, choose (`value`: an option's id or label), respond (`value`: words), submit
        (`values`: a form's by field), or withdraw, which takes the caller's response back. Parts by name:
        `digest` is that of the question as it was shown (`Question.digest`), and needed to approve a tool
        call; `arguments` are its edited arguments; with `approve` of a review, `value` is the edited text;
        `override` decides as an administrator. The same `idempotency_key` again is the same response.

        Raises ApiError: `settled` says in `.outcome` what had been decided before, and by whom; `stale` that
        something else is asked by now; `invalid_answer` in `.errors` what is wrong with each part.
        """
        return await self._http.call(operations.answer(question_id, action, value, comment, **parts))

    async def record(self, question_id: str) -> Record:
        """What was shown of a question, to whom, what everybody said, and what ran in the end."""
        return await self._http.call(operations.record(question_id))

    async def respond(
        self,
        run_id: str,
        words: str,
        *,
        question_id: str | None = None,
        digest: str | None = None,
        on_behalf_of: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Answer a run's open question with words: exactly a label or an action is that choice.

        The same `idempotency_key` again, within a day, is for the question that the first call answered.

        Raises ApiError, besides `answer`'s: no_open_question, several_open_questions (then name one).
        """
        return await self._http.call(
            operations.respond(run_id, words, question_id, digest, on_behalf_of, idempotency_key)
        )

    # ── identities ──────────────────────────────────────────────────────────────────────────────────────

    async def identities(self) -> tuple[Identity, ...]:
        """The caller's identities on all surfaces, which count as one person."""
        return await self._http.call(operations.identities())

    async def link_code(self) -> LinkCode:
        """A code that links another identity with the caller: enter it where that one is signed in."""
        return await self._http.call(operations.link_code())

    async def code_bearer(self, code: str) -> Identity:
        """Whose code this is: look at it before you link yourself. Raises ApiError (invalid_code, ...)."""
        return await self._http.call(operations.code_bearer(code))

    async def link(self, code: str) -> tuple[Identity, ...]:
        """Link the caller with the person who got the code. Raises ApiError (invalid_code, ...)."""
        return await self._http.call(operations.link(code))

    async def unlink(self, identity: str) -> tuple[Identity, ...]:
        """Unlink one of the caller's identities, by its id. Raises ApiError (unknown_identity)."""
        return await self._http.call(operations.unlink(identity))

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────

    def follow(
        self, run_id: str, after: str | None = None, *, lost: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Event]:
        """A run's events from its first one (or behind the one whose `cursor` is `after`) to its last.

        Connections that are cut are made again: no event is missing, and none comes twice. `StreamReset` says
        that a cursor was no good, and that all events come from the start. `lost` is told of each cut.
        """
        return follow_async(
            self._http, operations.events_of(run_id), after or "", self._reconnect_timeout, lost
        )

    async def inbox_so_far(self, after: str | None = None) -> tuple[Event, ...]:
        """What `inbox` would give now, without waiting: a part at a time, and nothing once there is no more.

        The next part is behind the last event that has a `cursor`.
        """
        return await self._http.call(operations.inbox_so_far(after))

    def inbox(
        self, after: str | None = None, *, lost: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Event]:
        """The question events of all runs: what is open, `SnapshotComplete`, then live, without an end."""
        return follow_async(self._http, operations.INBOX, after or "", self._reconnect_timeout, lost)
