"""Long polling of events."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence

from aiohttp import web

from bot.core.events.event import Event
from bot.surfaces.http.bodies import EventsQuery, PollQuery
from bot.surfaces.http.callers import Caller
from bot.surfaces.http.operations import RequestContext
from bot.surfaces.http.streams.streams import Opening, Streams, open_run
from bot.surfaces.http.streams.wire import Follower, Message, of_run

PAGE_SIZE = 500
"""Events per response; a client continues after the last one."""
HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}


class PollRoutes:
    """The handlers of polls."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def of_run(self, context: RequestContext[None, PollQuery]) -> Awaitable[web.Response]:
        """Keeps nothing of the request's context, since many clients may wait."""
        caller, run_id, query = context.caller, context.id("execution_id"), context.query
        after = self._streams.runs.behind(run_id, query.last_event_id) if query.wait else None
        if after is None:
            return self._open(caller, run_id, query.last_event_id, query.wait)
        # All clients that poll a run return after each event: served from the feed, without the store.
        return self._follow(caller, run_id, after, query.wait)

    async def _open(self, caller: Caller, run_id: str, cursor: str, wait: float) -> web.Response:
        opening = await open_run(self._streams.store.runs, run_id, cursor)
        messages = await self._read(run_id, opening, PAGE_SIZE)
        if messages or opening.finished or not wait:
            return _page(messages)
        return await self._follow(caller, run_id, opening.after, wait)

    async def of_all(self, context: RequestContext[None, PollQuery]) -> web.Response:
        with self._streams.entered(context.caller), self._streams.follow_all(context.caller) as follower:
            await follower.open(context.query.last_event_id)
            return _page(await _collect(follower, context.query.wait))

    async def events(self, context: RequestContext[None, EventsQuery]) -> web.Response:
        run_id = context.id("run_id")
        opening = await open_run(self._streams.store.runs, run_id, context.query.last_event_id)
        return _page(await self._read(run_id, opening, context.query.limit))

    async def _follow(self, caller: Caller, run_id: str, after: int, wait: float) -> web.Response:
        with self._streams.entered(caller), self._streams.runs.follow(run_id, after) as follower:
            return _page(await _collect(follower, wait))

    async def _read(self, run_id: str, opening: Opening, most: int) -> Sequence[Message]:
        events: Sequence[Event] = await self._streams.store.events.read(run_id, opening.after, most)
        return [*opening.first, *map(of_run, events)]


async def _collect(follower: Follower, seconds: float) -> Sequence[Message]:
    """Events that are available; if there are none, the first that arrive within `seconds`."""
    until = time.monotonic() + seconds
    found: list[Message] = []
    while len(found) < PAGE_SIZE:
        left = 0.0 if found else until - time.monotonic()
        messages = await follower.next(max(0.0, left))
        found += messages
        if (not messages and left <= 0) or (messages and messages[-1].last):
            break
    return found


def _page(messages: Sequence[Message]) -> web.Response:
    """The answer to a poll, of events that are encoded as on the other transports."""
    body = b'{"events":[' + b",".join(message.data for message in messages) + b"]}"
    return web.Response(body=body, headers=HEADERS)
