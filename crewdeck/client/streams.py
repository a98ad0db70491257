"""Following: one stream for the caller, however many connections it takes. Asynchronous and not."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing

from httpx_sse import EventSource, ServerSentEvent

from crewdeck.client.errors import ApiError, Unreachable
from crewdeck.client.events import Event, parse
from crewdeck.client.http import RETRIED_STATUSES, AsyncHttp, Http, wait_of

FIRST_RECONNECT_DELAY_S, MAX_RECONNECT_DELAY_S = 0.1, 5.0
"""Before the first attempt to come back, and, after many, before each further one."""
MAX_DOUBLINGS = 10
SERVER_ERROR = 500
HEARTBEAT = "heartbeat"


class StreamPosition:
    """Where a stream is, and when it is worth another connection. It does no I/O."""

    def __init__(self, after: str, reconnect_timeout: float) -> None:
        self.cursor = after
        #: The run's last event was received, or there is nothing more to come.
        self.over = False
        self._reconnect_timeout = reconnect_timeout
        self._opened = False
        self._failures = 0
        self._since = time.monotonic()

    def opened(self) -> None:
        """A connection is there."""
        self._opened, self._since = True, time.monotonic()

    def received(self, sent: ServerSentEvent) -> Event | None:
        """The event that came, or None if there is none for the caller in it."""
        if not sent.data:
            return None
        self.cursor, self._failures, self._since = sent.id or self.cursor, 0, time.monotonic()
        try:
            event = parse(sent.data, self.cursor)
        except ValueError:
            raise ApiError("no_crewdeck", 200, "What answers there is no Crewdeck.") from None
        self.over = event.last  # no stream of all runs carries one of those
        return None if event.type == HEARTBEAT else event

    def pause(self, error: ApiError | Unreachable | None) -> float:
        """Seconds to wait before the next connection; raises the error again where there is none."""
        if error is None:
            return self._backoff()
        worth_it = self._opened if isinstance(error, Unreachable) else _passes(error)
        if not worth_it or time.monotonic() - self._since > self._reconnect_timeout:
            raise error
        backoff = self._backoff()
        return max(backoff, wait_of(error)) if isinstance(error, ApiError) else backoff

    def _backoff(self) -> float:
        self._failures += 1
        exponent = min(self._failures, MAX_DOUBLINGS)
        longest = min(MAX_RECONNECT_DELAY_S, FIRST_RECONNECT_DELAY_S * 2**exponent)
        return random.uniform(longest / 2, longest)  # noqa: S311 - so that not all come back at once


def _passes(error: ApiError) -> bool:
    return error.status in RETRIED_STATUSES or error.status >= SERVER_ERROR


def follow(
    http: Http, path: str, after: str, reconnect_timeout: float, lost: Callable[[], None]
) -> Generator[Event]:
    """Every event, once and in order, until the run is over. Raises ApiError and Unreachable.

    `lost` is told whenever a connection is lost.
    """
    position = StreamPosition(after, reconnect_timeout)
    while not position.over:
        failure: ApiError | Unreachable | None = None
        try:
            with closing(_connection(http, path, position)) as events:
                yield from events
        except (ApiError, Unreachable) as error:
            failure = error
        wait = position.pause(failure)
        if not position.over:
            lost()
            time.sleep(wait)


def _connection(http: Http, path: str, position: StreamPosition) -> Generator[Event]:
    with http.stream(path, position.cursor) as response:
        if response is None:
            position.over = True
            return
        position.opened()
        for sent in EventSource(response).iter_sse():
            if event := position.received(sent):
                yield event
            if position.over:
                return


async def follow_async(
    http: AsyncHttp, path: str, after: str, reconnect_timeout: float, lost: Callable[[], None]
) -> AsyncGenerator[Event]:
    """As `follow`, for asyncio."""
    position = StreamPosition(after, reconnect_timeout)
    while not position.over:
        failure: ApiError | Unreachable | None = None
        try:
            async with aclosing(_connection_async(http, path, position)) as events:
                async for event in events:
                    yield event
        except (ApiError, Unreachable) as error:
            failure = error
        wait = position.pause(failure)
        if not position.over:
            lost()
            await asyncio.sleep(wait)


async def _connection_async(http: AsyncHttp, path: str, position: StreamPosition) -> AsyncGenerator[Event]:
    async with http.stream(path, position.cursor) as response:
        if response is None:
            position.over = True
            return
        position.opened()
        async with aclosing(EventSource(response).aiter_sse()) as events:
            async for sent in events:
                if event := position.received(sent):
                    yield event
                if position.over:
                    return
