"""Server-sent events: of one run, of one run for existing clients (`/{run_id}/stream`), and of all runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from aiohttp import HttpVersion11, web

from bot.core.errors import NotFound
from bot.surfaces.http.bodies import StreamQuery
from bot.surfaces.http.callers import Caller
from bot.surfaces.http.operations import RequestContext
from bot.surfaces.http.streams.streams import (
    Streams,
    abort,
    can_send_now,
    free_headers,
    next_messages,
    open_run,
    send_now,
)
from bot.surfaces.http.streams.wire import HEARTBEAT, SSE_COMMENT, Follower, Message

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


class Encoding(NamedTuple):
    """How messages are written to a client."""

    block: Callable[[Message], bytes]
    #: Sends a message without waiting; False if the client hasn't taken what was sent before.
    send_now: Callable[[web.Request, Message], bool]


EVENTS = Encoding(attrgetter("sse"), lambda request, message: send_now(request, message.sse_chunk))
PLAIN = Encoding(attrgetter("plain_sse"), lambda request, message: send_now(request, message.plain_sse_chunk))


class SseRoutes:
    """The handlers of event streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    # These two and `_run` keep nothing of the request's context: a client's stream may be open for days.

    def of_run(self, context: RequestContext[None, StreamQuery]) -> Awaitable[web.StreamResponse]:
        run_id = context.id("execution_id")
        return self._run(context.request, context.caller, run_id, _cursor(context), EVENTS)

    def plain(self, context: RequestContext[None, StreamQuery]) -> Awaitable[web.StreamResponse]:
        run_id = context.id("run_id")
        return self._run(context.request, context.caller, run_id, _cursor(context), PLAIN)

    async def of_all(self, context: RequestContext[None, StreamQuery]) -> web.StreamResponse:
        with self._streams.follow_all(context.caller) as follower:
            await follower.open(_cursor(context))
            return await self._send(context.request, context.caller, follower, (), EVENTS)

    async def _run(
        self, request: web.Request, caller: Caller, run_id: str, cursor: str, encoding: Encoding
    ) -> web.StreamResponse:
        opening = await open_run(self._streams.store.runs, run_id, cursor)
        if opening.finished:
            return web.Response(status=204)  # an EventSource doesn't reconnect after 204
        with self._streams.runs.follow(run_id, opening.after) as follower:
            return await self._send(request, caller, follower, opening.first, encoding)

    async def _send(
        self,
        request: web.Request,
        caller: Caller,
        follower: Follower,
        first: Sequence[Message],
        encoding: Encoding,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=HEADERS)
        with self._streams.entered(caller), suppress(ConnectionError, NotFound):
            await response.prepare(request)
            free_headers(response)
            await self._write(request, response, [*first], encoding)
            if request.version >= HttpVersion11:
                follower.send_directly(partial(encoding.send_now, request))
            timings = self._streams.timings
            heartbeat = time.monotonic() + timings.heartbeat
            while await self._streams.still_valid(caller):
                messages = await next_messages(follower, min(timings.quiet, heartbeat - time.monotonic()))
                if time.monotonic() >= heartbeat:
                    heartbeat += timings.heartbeat
                    messages = [*messages, HEARTBEAT]
                await self._write(request, response, messages, encoding)
                if any(message.last for message in messages):
                    break
        return response

    async def _write(
        self,
        request: web.Request,
        response: web.StreamResponse,
        messages: Sequence[Message],
        encoding: Encoding,
    ) -> None:
        """Send messages, or a comment if there are none. A client that doesn't read is disconnected."""
        block = b"".join(map(encoding.block, messages)) or SSE_COMMENT
        if can_send_now(request, len(block)):
            await response.write(block)
            return
        try:
            async with asyncio.timeout(self._streams.timings.send_within):
                await response.write(block)
        except TimeoutError:
            abort(request)
            raise ConnectionResetError("The client takes nothing any more.") from None


def _cursor(context: RequestContext[None, StreamQuery]) -> str:
    """The header has precedence: EventSource reconnects to its original URL, with the last id in it."""
    return context.request.headers.get("Last-Event-ID") or context.query.last_event_id
