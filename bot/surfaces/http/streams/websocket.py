"""WebSockets, which carry events to clients and answers back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from pydantic import ValidationError

from bot.core.errors import NotFound
from bot.core.events.event import encode
from bot.core.people.actor import Actor
from bot.core.people.api_keys import Scope
from bot.core.ports.store import Prefetched
from bot.surfaces.http import problems
from bot.surfaces.http.bodies import AnswerMessage, StreamQuery
from bot.surfaces.http.callers import Caller, KeyRateLimiter
from bot.surfaces.http.operations import RequestContext, read_json
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.questions.answers import Answers
from bot.surfaces.http.streams.streams import (
    Streams,
    abort,
    can_send_now,
    free_headers,
    next_messages,
    open_run,
    send_now,
)
from bot.surfaces.http.streams.wire import Follower, Message

CLOSE_TIMEOUT_S = 0.5
"""Seconds that a client gets to confirm the closing handshake."""
MAX_MESSAGE_BYTES = 256 * 1024
"""The limit for a message; a larger one is answered with an error."""
MAX_BUFFERED_BYTES = 16 * 1024 * 1024
"""The limit for a message that is read at all, to be answered with an error.

Larger messages close the connection (1009). Compression is off.
"""


class WebSocketRoutes:
    """The handlers of WebSockets."""

    def __init__(self, streams: Streams, answers: Answers, rates: KeyRateLimiter) -> None:
        self._streams = streams
        self._answers = answers
        self._rates = rates

    def of_run(self, context: RequestContext[None, StreamQuery]) -> Awaitable[web.StreamResponse]:
        """Keeps nothing of the request's context: a client's stream may be open for days."""
        return self._run(context.request, context.caller, context.id("execution_id"), _cursor(context))

    async def _run(
        self, request: web.Request, caller: Caller, run_id: str, cursor: str
    ) -> web.StreamResponse:
        opening = await open_run(self._streams.store.runs, run_id, cursor)
        socket = Socket(self._answers, self._rates, caller, run_id)
        if opening.finished:  # the run is over and the client has all events: open and close
            return await self._serve(request, socket, None, opening.first)
        with self._streams.runs.follow(run_id, opening.after) as follower:
            return await self._serve(request, socket, follower, opening.first)

    async def of_all(self, context: RequestContext[None, StreamQuery]) -> web.StreamResponse:
        with self._streams.follow_all(context.caller) as follower:
            await follower.open(_cursor(context))
            socket = Socket(self._answers, self._rates, context.caller, None)
            return await self._serve(context.request, socket, follower, ())

    async def _serve(
        self,
        request: web.Request,
        socket: Socket,
        follower: Follower | None,
        first: Sequence[Message],
    ) -> web.StreamResponse:
        response = web.WebSocketResponse(
            heartbeat=self._streams.timings.ping,
            max_msg_size=MAX_BUFFERED_BYTES,
            compress=False,
            timeout=CLOSE_TIMEOUT_S,
        )
        with self._streams.entered(socket.caller):
            await response.prepare(request)
            free_headers(response)
            try:
                async with asyncio.TaskGroup() as group:
                    sending = group.create_task(self._send(response, request, socket.caller, follower, first))
                    await self._receive(response, request, socket)
                    sending.cancel()
            finally:
                await _close(response, request, WSCloseCode.GOING_AWAY)
        return response

    async def _receive(self, response: web.WebSocketResponse, request: web.Request, socket: Socket) -> None:
        """Answer the client's messages until it disconnects."""
        with suppress(ConnectionError):
            async for message in response:
                if message.type is WSMsgType.ERROR or not await self._streams.still_valid(socket.caller):
                    break
                await self._send_one(response, request, encode(await socket.answer(message)))

    async def _send(
        self,
        response: web.WebSocketResponse,
        request: web.Request,
        caller: Caller,
        follower: Follower | None,
        first: Sequence[Message],
    ) -> None:
        """Send messages until the last event, or until the caller loses access; then close."""
        messages, ended = first, follower is None
        if follower is not None:
            follower.send_directly(partial(_send_now, response, request))
        try:
            while await self._streams.still_valid(caller):
                for message in messages:
                    await self._send_one(response, request, message.data)
                    ended = ended or message.last
                if follower is None or ended:
                    break
                messages = await next_messages(follower, self._streams.timings.check)
            await _close(response, request, WSCloseCode.OK if ended else WSCloseCode.POLICY_VIOLATION)
        except (ConnectionError, NotFound):
            abort(request)  # also ends `_receive`

    async def _send_one(self, response: web.WebSocketResponse, request: web.Request, data: bytes) -> None:
        """Send a text message. A client that doesn't read is disconnected."""
        if can_send_now(request, len(data)):
            await response.send_frame(data, WSMsgType.TEXT)
            return
        try:
            async with asyncio.timeout(self._streams.timings.send_within):
                await response.send_frame(data, WSMsgType.TEXT)
        except TimeoutError:
            raise ConnectionResetError("The client takes nothing any more.") from None


class Socket:
    """Handles the messages of one client."""

    __slots__ = ("_answers", "_rates", "_run_id", "caller")

    def __init__(self, answers: Answers, rates: KeyRateLimiter, caller: Caller, run_id: str | None) -> None:
        self._answers = answers
        self._rates = rates
        self.caller = caller
        self._run_id = run_id

    async def answer(self, message: WSMessage) -> dict[str, Any]:
        """Handle a message; returns `accepted`, or `error` with the reason."""
        request_id = None
        try:
            said = _parse(message)
            request_id = said.get("request_id") if isinstance(said, dict) else None
            return {"type": "accepted", "request_id": request_id, **await self._do(said)}
        except Exception as error:
            problem = problems.of(error)
            if problem is None:
                raise
            return {"type": "error", "request_id": request_id, **_error_members(problem)}

    async def _do(self, said: object) -> dict[str, Any]:
        if not self.caller.local:
            self._rates.take(self.caller.rate_limit_key)
        try:
            asked = AnswerMessage.model_validate(said)
        except ValidationError as error:
            raise problems.invalid(error) from error
        self.caller.require(Scope.ANSWER)
        actor = self.caller.actor_on_behalf_of(asked.on_behalf_of)
        prefetched = await self._prefetch(asked.question_id.lower(), actor)
        answer = await self._answers.record(prefetched, actor, asked, asked.idempotency_key)
        return answer.model_dump(mode="json")

    async def _prefetch(self, question_id: str, actor: Actor) -> Prefetched:
        if self._run_id is None:
            return await self._answers.prefetch(self.caller, question_id, actor)
        return Prefetched(await self._answers.find_in(self.caller, self._run_id, question_id))


def _send_now(response: web.WebSocketResponse, request: web.Request, message: Message) -> bool:
    """Send a message without waiting; False if the client hasn't taken what was sent before, or has left."""
    return not response.closed and send_now(request, message.frame)


def _parse(message: WSMessage) -> object:
    if message.type is not WSMsgType.TEXT:
        raise Problem("invalid_json", "Messages are JSON texts.")
    if len(message.data.encode()) > MAX_MESSAGE_BYTES:
        raise Problem("too_large", f"A message may have {MAX_MESSAGE_BYTES} bytes at most.")
    return read_json(message.data)


def _error_members(problem: Problem) -> dict[str, Any]:
    body = problem.body()
    return {name: body[name] for name in body if name not in {"type", "title", "status"}}


def _cursor(context: RequestContext[None, StreamQuery]) -> str:
    return context.query.last_event_id or context.request.headers.get("Last-Event-ID", "")


async def _close(response: web.WebSocketResponse, request: web.Request, code: WSCloseCode) -> None:
    """Close with this code; a client that doesn't read is disconnected."""
    try:
        async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
            await response.close(code=code)
    except TimeoutError:
        abort(request)
