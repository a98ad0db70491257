"""Following: one stream for the caller, however many connections it takes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from crewdeck.client.errors import ApiError, Unreachable
from crewdeck.client.events import Event, parse
from crewdeck.client.http import LATER, Http, wait_of
from crewdeck.client.sse import read

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds before the first attempt to come back, and, after many, before each further one."""
SERVER_ERROR = 500
HEARTBEAT = "heartbeat"


class Stream:
    """One client's way through a stream, with as many connections as it takes."""

    def __init__(self, http: Http, path: str, after: str, patience: float, lost: Callable[[], None]) -> None:
        self._http = http
        self._path = path
        self._cursor = after
        self._patience = patience
        #: Told whenever a connection is lost.
        self._lost = lost
        self._opened = False
        self._over = False
        self._failures = 0
        self._since = time.monotonic()

    async def events(self) -> AsyncGenerator[Event]:
        """Every event, once and in order, until the run is over. Raises ApiError and Unreachable."""
        while not self._over:
            try:
                async with aclosing(self._connection()) as events:
                    async for event in events:
                        yield event
            except (ApiError, Unreachable) as error:
                wait = self._wait(error)
            else:
                wait = self._backoff()
            if not self._over:
                self._lost()
                await asyncio.sleep(wait)

    async def _connection(self) -> AsyncGenerator[Event]:
        async with self._http.stream(self._path, self._cursor) as chunks:
            if chunks is None:
                self._over = True
                return
            self._opened, self._since = True, time.monotonic()
            async with aclosing(read(chunks, self._cursor)) as sent:
                async for data, cursor in sent:
                    self._cursor, self._failures, self._since = cursor, 0, time.monotonic()
                    event = parse(data, cursor)
                    self._over = event.last  # no stream of all runs carries one of those
                    if event.type != HEARTBEAT:
                        yield event
                    if self._over:
                        return

    def _wait(self, error: ApiError | Unreachable) -> float:
        """Seconds to wait before the next attempt; raises the error again where there is none."""
        worth_it = self._opened if isinstance(error, Unreachable) else _passes(error)
        if not worth_it or time.monotonic() - self._since > self._patience:
            raise error
        backoff = self._backoff()
        return max(backoff, wait_of(error)) if isinstance(error, ApiError) else backoff

    def _backoff(self) -> float:
        self._failures += 1
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2**self._failures)
        return random.uniform(longest / 2, longest)  # noqa: S311 - so that not all come back at once


def _passes(error: ApiError) -> bool:
    return error.status in LATER or error.status >= SERVER_ERROR
