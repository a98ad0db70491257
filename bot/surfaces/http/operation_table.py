"""The table of all operations of the API."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from bot.core.people.api_keys import Scope
from bot.surfaces.http.bodies import (
    AnswerBody,
    CancelBody,
    DeleteQuery,
    EventsQuery,
    InputBody,
    LinkBody,
    QuestionsQuery,
    ReadReceiptBody,
    RunsQuery,
    StartBody,
    UnlinkQuery,
)
from bot.surfaces.http.files import FileRoutes, FilesView, UploadQuery, UploadView
from bot.surfaces.http.identities import CodeView, IdentitiesView, IdentityRoutes, IdentityView
from bot.surfaces.http.operations import AnyOperation, Operation, RequestContext, ResponseSpec, reply
from bot.surfaces.http.probes import health
from bot.surfaces.http.questions.question_views import AnswerView, QuestionsView, QuestionView, RunView
from bot.surfaces.http.questions.questions import QuestionRoutes
from bot.surfaces.http.questions.record_views import RecordView
from bot.surfaces.http.runs import RunRoutes
from bot.surfaces.http.streams.poll import PollRoutes
from bot.surfaces.http.streams.stream_table import StreamHandlers, stream_operations
from bot.surfaces.http.views import (
    CallerView,
    CrewsView,
    EventsView,
    HealthView,
    RunsView,
    StartedView,
)

ANSWERING = (
    "unknown_question",
    "not_allowed",
    "settled",
    "stale",
    "invalid_answer",
    "invalid_idempotency_key",
    "unreadable_record",
)
ANSWER = {200: ResponseSpec("The answer counts: the outcome, or how many more it takes", AnswerView)}
LINKING = ("invalid_code", "same_surface", "already_linked", "not_linkable", "too_many_attempts")
ANSWER_KEY = {
    "Idempotency-Key": "Requests with the same key and the same answer are one response, also after it was "
    "taken back."
}
INPUT_KEY = {
    "Idempotency-Key": "Requests with the same key within 24 hours answer the question of the first one, "
    "whatever the run asks by then; with the same answer they are one response."
}


HEALTH: AnyOperation = Operation(
    "GET",
    "/health",
    "getHealth",
    "Whether the process runs",
    health,
    {200: ResponseSpec("It does", HealthView)},
    public=True,
    tag="process",
)


@dataclass(frozen=True)
class Handlers:
    """The handlers of all operations."""

    runs: RunRoutes
    questions: QuestionRoutes
    files: FileRoutes
    identities: IdentityRoutes
    poll: PollRoutes
    streams: StreamHandlers


def operations(handlers: Handlers) -> tuple[AnyOperation, ...]:
    """The table, from which routes and `/openapi.json` are generated."""
    return (
        HEALTH,
        *_runs(handlers),
        *_questions(handlers),
        *_files(handlers),
        *_identities(handlers),
        *stream_operations(handlers.streams),
    )


def _runs(to: Handlers) -> tuple[AnyOperation, ...]:
    return (
        Operation(
            "GET",
            "/me",
            "getCaller",
            "Who calls, and what they may do",
            me,
            {200: ResponseSpec("The caller", CallerView)},
        ),
        Operation(
            "GET",
            "/crews",
            "listCrews",
            "The crews that can be started",
            to.runs.crews,
            {200: ResponseSpec("Crews", CrewsView)},
        ),
        Operation(
            "POST",
            "/crew/start",
            "startRun",
            "Start a run",
            to.runs.start,
            {202: ResponseSpec("The run, started now or by the same request before", StartedView)},
            body=StartBody,
            scope=Scope.START,
            problems=(
                "unknown_crew",
                "no_worker",
                "run_deleted",
                "invalid_inputs",
                "not_admitted",
                "webhook_urls_off",
                "idempotency_conflict",
                "invalid_idempotency_key",
            ),
            headers={"Idempotency-Key": "Requests with the same key within 24 hours return the same run."},
        ),
        Operation(
            "GET",
            "/runs",
            "listRuns",
            "Runs, newest first",
            to.runs.runs,
            {200: ResponseSpec("Runs", RunsView)},
            query=RunsQuery,
        ),
        Operation(
            "GET",
            "/runs/{run_id}",
            "getRun",
            "A run with its questions",
            to.runs.run,
            {200: ResponseSpec("The run", RunView)},
            problems=("unknown_run",),
        ),
        Operation(
            "POST",
            "/runs/{run_id}/cancel",
            "cancelRun",
            "Cancel a run",
            to.runs.cancel,
            {200: ResponseSpec("The run, cancelled", RunView)},
            body=CancelBody,
            body_optional=True,
            scope=Scope.START,
            problems=("unknown_run", "run_over", "not_allowed"),
        ),
        Operation(
            "POST",
            "/runs/{run_id}/retry",
            "retryRun",
            "Retry a failed or cancelled run from where it ended",
            to.runs.retry,
            {202: ResponseSpec("The new run, started now or by the same request before", StartedView)},
            scope=Scope.START,
            problems=(
                "unknown_run",
                "not_allowed",
                "run_live",
                "run_completed",
                "never_began",
                "run_deleted",
                "journal_expired",
                "journal_sealed",
                "invalid_idempotency_key",
            ),
            headers={"Idempotency-Key": "Requests with the same key return the same run."},
        ),
        Operation(
            "DELETE",
            "/runs/{run_id}",
            "deleteRun",
            "Delete a run with all its data",
            to.runs.delete,
            {204: ResponseSpec("It is gone")},
            query=DeleteQuery,
            scope=Scope.ADMIN,
            problems=("unknown_run", "run_live"),
        ),
        Operation(
            "GET",
            "/runs/{run_id}/events",
            "listEvents",
            "A run's events so far",
            to.poll.events,
            {200: ResponseSpec("Events", EventsView)},
            query=EventsQuery,
            problems=("unknown_run",),
        ),
    )


def _questions(to: Handlers) -> tuple[AnyOperation, ...]:
    return (
        Operation(
            "GET",
            "/questions",
            "listQuestions",
            "Open questions, oldest first",
            to.questions.questions,
            {200: ResponseSpec("Questions", QuestionsView)},
            query=QuestionsQuery,
            tag="questions",
        ),
        Operation(
            "GET",
            "/questions/{question_id}",
            "getQuestion",
            "A question, with its outcome once it has one",
            to.questions.question,
            {200: ResponseSpec("The question", QuestionView)},
            problems=("unknown_question",),
            tag="questions",
        ),
        Operation(
            "POST",
            "/questions/{question_id}/answer",
            "answerQuestion",
            "Answer a question, or take the answer back",
            to.questions.answer,
            ANSWER,
            body=AnswerBody,
            scope=Scope.ANSWER,
            problems=ANSWERING,
            headers=ANSWER_KEY,
            tag="questions",
        ),
        Operation(
            "GET",
            "/questions/{question_id}/record",
            "getRecord",
            "The record of a decision: what was shown, to whom, every response, and what ran",
            to.questions.record,
            {200: ResponseSpec("The record", RecordView)},
            problems=("unknown_question", "unreadable_record"),
            tag="questions",
        ),
        Operation(
            "POST",
            "/questions/{question_id}/opened",
            "openQuestion",
            "Record that the caller, a person, had all of a question before them",
            to.questions.opened,
            {204: ResponseSpec("It is recorded")},
            body=ReadReceiptBody,
            problems=("unknown_question", "not_allowed", "stale"),
            tag="questions",
        ),
        Operation(
            "POST",
            "/{run_id}/input",
            "answerRun",
            "Answer the open question of a run",
            to.questions.input,
            ANSWER,
            body=InputBody,
            scope=Scope.ANSWER,
            problems=("unknown_run", "no_open_question", "several_open_questions", *ANSWERING),
            headers=INPUT_KEY,
            tag="questions",
        ),
    )


def _files(to: Handlers) -> tuple[AnyOperation, ...]:
    return (
        Operation(
            "GET",
            "/runs/{run_id}/files",
            "listFiles",
            "The files of a run: those that its crew made, and those that it was started with",
            to.files.list,
            {200: ResponseSpec("Files", FilesView)},
            problems=("unknown_run",),
            tag="files",
        ),
        Operation(
            "GET",
            "/runs/{run_id}/files/{file_id}",
            "getFile",
            "The content of a file, as a download",
            to.files.content,
            {200: ResponseSpec("Its bytes", content_type="application/octet-stream")},
            problems=("unknown_run", "unknown_file", "journal_sealed", "unreadable_record"),
            tag="files",
        ),
        Operation(
            "POST",
            "/files",
            "uploadFile",
            "Upload a file for an input of type `file`: its bytes are the body",
            to.files.upload,
            {201: ResponseSpec("Its id, which the caller can start a run with for an hour", UploadView)},
            query=UploadQuery,
            takes_bytes=True,
            scope=Scope.START,
            problems=("file_too_large", "unsupported_media_type", "request_timeout"),
            tag="files",
        ),
    )


def _identities(to: Handlers) -> tuple[AnyOperation, ...]:
    return (
        Operation(
            "GET",
            "/me/identities",
            "listIdentities",
            "The caller's identities, which count as one person",
            to.identities.identities,
            {200: ResponseSpec("Identities", IdentitiesView)},
            tag="identities",
        ),
        Operation(
            "POST",
            "/me/identities/code",
            "newLinkCode",
            "A code that links another identity with the caller: enter it where that one is signed in",
            to.identities.new_code,
            {200: ResponseSpec("The code, valid once and for ten minutes", CodeView)},
            scope=Scope.ANSWER,
            problems=("not_linkable", "too_many_attempts"),
            tag="identities",
        ),
        Operation(
            "POST",
            "/me/identities/bearer",
            "getCodeBearer",
            "Whose code this is: to be shown to people before they link themselves with it",
            to.identities.code_owner,
            {200: ResponseSpec("The identity that got the code", IdentityView)},
            body=LinkBody,
            scope=Scope.ANSWER,
            problems=LINKING,
            tag="identities",
        ),
        Operation(
            "POST",
            "/me/identities",
            "linkIdentity",
            "Link the caller with the person who got a code elsewhere",
            to.identities.link,
            {200: ResponseSpec("The caller's identities by now", IdentitiesView)},
            body=LinkBody,
            scope=Scope.ANSWER,
            problems=LINKING,
            tag="identities",
        ),
        Operation(
            "DELETE",
            "/me/identities",
            "unlinkIdentity",
            "Unlink one of the caller's identities",
            to.identities.unlink,
            {200: ResponseSpec("The caller's identities by now", IdentitiesView)},
            query=UnlinkQuery,
            scope=Scope.ANSWER,
            problems=("unknown_identity",),
            tag="identities",
        ),
    )


async def me(context: RequestContext[None, None]) -> web.Response:
    """The caller of the request."""
    caller = context.caller
    return reply(
        CallerView(
            surface=caller.actor.surface,
            name=caller.actor.label,
            scopes=tuple(scope for scope in Scope if scope in caller.scopes),
            signed_in=caller.session is not None,
        )
    )
