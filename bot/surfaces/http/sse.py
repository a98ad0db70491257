"""Server-sent events: of one run, of one run for existing clients (`/{run_id}/stream`), and of all runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from aiohttp import HttpVersion11, web

from bot.core.errors import NotFound, StoreUnavailable
from bot.surfaces.http.bodies import StreamQuery
from bot.surfaces.http.operations import RequestContext
from bot.surfaces.http.streams import Streams, cut_off, open_run, send_now
from bot.surfaces.http.wire import HEARTBEAT, RETRY_DELAY_S, SSE_COMMENT, Follower, Message

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


class SseRoutes:
    """The handlers of event streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def of_run(self, context: RequestContext[None, StreamQuery]) -> web.StreamResponse:
        return await self._run(context, context.id("execution_id"), plain=False)

    async def plain(self, context: RequestContext[None, StreamQuery]) -> web.StreamResponse:
        return await self._run(context, context.id("run_id"), plain=True)

    async def of_all(self, context: RequestContext[None, StreamQuery]) -> web.StreamResponse:
        with self._streams.follow_all(context.caller) as follower:
            await follower.open(_cursor(context))
            return await self._send(context, follower, (), plain=False)

    async def _run(
        self, context: RequestContext[None, StreamQuery], run_id: str, *, plain: bool
    ) -> web.StreamResponse:
        opening = await open_run(self._streams.store.runs, run_id, _cursor(context))
        if opening.finished:
            return web.Response(status=204)  # an EventSource doesn't reconnect after 204
        with self._streams.runs.follow(run_id, opening.after) as follower:
            return await self._send(context, follower, opening.first, plain=plain)

    async def _send(
        self,
        context: RequestContext[None, StreamQuery],
        follower: Follower,
        first: Sequence[Message],
        *,
        plain: bool,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=HEADERS)
        with self._streams.entered(context.caller), suppress(ConnectionError, NotFound):
            await response.prepare(context.request)
            await self._write(context.request, response, [*first], plain=plain)
            if context.request.version >= HttpVersion11:
                follower.send_directly(partial(_send_now, context.request, plain=plain))
            timings = self._streams.timings
            heartbeat = time.monotonic() + timings.heartbeat
            while await self._streams.still(context.caller):
                messages = await _next(follower, min(timings.quiet, heartbeat - time.monotonic()))
                if time.monotonic() >= heartbeat:
                    heartbeat += timings.heartbeat
                    messages = [*messages, HEARTBEAT]
                await self._write(context.request, response, messages, plain=plain)
                if any(message.last for message in messages):
                    break
        return response

    async def _write(
        self, request: web.Request, response: web.StreamResponse, messages: Sequence[Message], *, plain: bool
    ) -> None:
        """Send messages, or a comment if there are none. A client that doesn't read is disconnected."""
        block = b"".join(message.plain_sse if plain else message.sse for message in messages) or SSE_COMMENT
        try:
            async with asyncio.timeout(self._streams.timings.send_within):
                await response.write(block)
        except TimeoutError:
            cut_off(request)
            raise ConnectionResetError("The client takes nothing any more.") from None


def _send_now(request: web.Request, message: Message, *, plain: bool) -> bool:
    """Send a message without waiting; False if the client hasn't taken what was sent before."""
    chunk = message.plain_sse_chunk if plain else message.sse_chunk
    return send_now(request, chunk)


def _cursor(context: RequestContext[None, StreamQuery]) -> str:
    """The header has precedence: EventSource reconnects to its original URL, with the last id in it."""
    return context.request.headers.get("Last-Event-ID") or context.query.last_event_id


async def _next(follower: Follower, seconds: float) -> Sequence[Message]:
    try:
        return await follower.next(max(0.0, seconds))
    except StoreUnavailable:
        await asyncio.sleep(RETRY_DELAY_S)
        return ()
