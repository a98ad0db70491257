"""The table of the operations that carry events: streams, and long polling."""

from __future__ import annotations

from dataclasses import dataclass

from bot.surfaces.http.bodies import PollQuery, StreamQuery
from bot.surfaces.http.operations import AnyOperation, Operation, ResponseSpec
from bot.surfaces.http.streams.poll import PollRoutes
from bot.surfaces.http.streams.sse import SseRoutes
from bot.surfaces.http.streams.websocket import WebSocketRoutes
from bot.surfaces.http.views import EventsView

LAST_EVENT_ID = {"Last-Event-ID": "Like `last_event_id`, as an EventSource sends it; takes precedence."}
STREAM = {
    200: ResponseSpec("Server-sent events", content_type="text/event-stream"),
    204: ResponseSpec("The client has the run's last event: don't reconnect"),
}
SOCKET = {101: ResponseSpec("A WebSocket: events out, answers in")}


@dataclass(frozen=True)
class StreamHandlers:
    """The handlers of these operations."""

    sse: SseRoutes
    poll: PollRoutes
    websocket: WebSocketRoutes


def stream_operations(handlers: StreamHandlers) -> tuple[AnyOperation, ...]:
    """The streams of one run, then those of all."""
    return (*_of_run(handlers), *_of_all(handlers))


def _of_run(to: StreamHandlers) -> tuple[AnyOperation, ...]:
    return (
        Operation(
            "GET",
            "/{run_id}/stream",
            "streamRunPlainly",
            "A run's events, its questions as `PROMPT` and its end as `END`",
            to.sse.plain,
            STREAM,
            query=StreamQuery,
            headers=LAST_EVENT_ID,
            problems=("unknown_run",),
            endless=True,
            tag="streams",
        ),
        Operation(
            "GET",
            "/events/human-input/{execution_id}",
            "streamRun",
            "A run's events",
            to.sse.of_run,
            STREAM,
            query=StreamQuery,
            headers=LAST_EVENT_ID,
            problems=("unknown_run",),
            endless=True,
            tag="streams",
        ),
        Operation(
            "GET",
            "/ws/human-input/{execution_id}",
            "connectRun",
            "A run's events, and answers, over a WebSocket",
            to.websocket.of_run,
            SOCKET,
            query=StreamQuery,
            problems=("unknown_run", "bad_request"),
            endless=True,
            tag="streams",
        ),
        Operation(
            "GET",
            "/poll/human-input/{execution_id}",
            "pollRun",
            "A run's events, by long polling",
            to.poll.of_run,
            {200: ResponseSpec("Events", EventsView)},
            query=PollQuery,
            problems=("unknown_run",),
            tag="streams",
        ),
    )


def _of_all(to: StreamHandlers) -> tuple[AnyOperation, ...]:
    return (
        Operation(
            "GET",
            "/events/human-input",
            "streamQuestions",
            "The question events of all runs: open questions first, then live events",
            to.sse.of_all,
            {200: STREAM[200]},
            query=StreamQuery,
            headers=LAST_EVENT_ID,
            endless=True,
            tag="streams",
        ),
        Operation(
            "GET",
            "/ws/human-input",
            "connectQuestions",
            "The question events of all runs, and answers, over a WebSocket",
            to.websocket.of_all,
            SOCKET,
            query=StreamQuery,
            problems=("bad_request",),
            endless=True,
            tag="streams",
        ),
        Operation(
            "GET",
            "/poll/human-input",
            "pollQuestions",
            "The question events of all runs, by long polling",
            to.poll.of_all,
            {200: ResponseSpec("Events", EventsView)},
            query=PollQuery,
            tag="streams",
        ),
    )
