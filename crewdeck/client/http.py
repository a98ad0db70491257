"""Calls: one request, its answer or its error; and again where that can do no harm."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp

from crewdeck.client.errors import ApiError, Unreachable

CALL_WITHIN = 30.0
"""Seconds that a call may take."""
SILENCE = 15.0
"""Seconds after which a silent stream is taken for dead. The server says something every 4 s at least."""
TRIES = 4
"""How often a call is made whose answer was lost, or that was told to come back later."""
LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE})
LONGEST_WAIT = 30.0
SHORTEST_WAIT = 0.2


class Http:
    """The connection to one server."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            headers=self._headers, connector=aiohttp.TCPConnector(limit=0), raise_for_status=False
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Any:  # noqa: ANN401 - JSON
        """The answer's JSON. Raises ApiError and Unreachable.

        A `repeatable` call is made again when its answer was lost; any is when the server says "later".
        """
        for again in range(TRIES - 1, -1, -1):
            try:
                return await self._once(method, path, body, query, headers)
            except ApiError as error:
                if not again or error.status not in LATER:
                    raise
                await asyncio.sleep(wait_of(error))
            except Unreachable as error:
                if not (again and repeatable) or isinstance(error.__cause__, aiohttp.ClientConnectorError):
                    raise
                await asyncio.sleep(0.2)
        raise Unreachable(f"{self.url} gives no answer.")

    async def _once(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> Any:  # noqa: ANN401 - JSON
        timeout = aiohttp.ClientTimeout(total=CALL_WITHIN)
        async with self._request(method, path, body, query, headers, timeout) as response:
            return await _json(response)

    @asynccontextmanager
    async def stream(self, path: str, cursor: str) -> AsyncIterator[AsyncIterator[bytes] | None]:
        """The chunks of an event stream; None: there is nothing more to come (204).

        Raises ApiError and Unreachable, within the block too.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CALL_WITHIN, sock_read=SILENCE)
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": cursor} if cursor else {})
        async with self._request("GET", path, None, None, headers, timeout) as response:
            if response.status == HTTPStatus.NO_CONTENT:
                yield None
            elif response.content_type != "text/event-stream":
                raise ApiError("no_stream", response.status, f"{self.url} answers with no event stream.")
            else:
                yield response.content.iter_any()

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's, of which one part is for reads
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("Use the client as `async with Client(...) as client:`.")
        try:
            async with self._session.request(
                method,
                self.url + path,
                json=body,
                params=query,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,  # the key is for this server alone
            ) as response:
                if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise await _error(response)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self.url} gives no answer: {_reason(error)}.") from error


def wait_of(error: ApiError) -> float:
    """Seconds after which the server wants to be asked again: a pause in any case."""
    try:
        seconds = float(error.problem.get("retry_after", 1))
    except (TypeError, ValueError):
        seconds = 1.0
    return min(LONGEST_WAIT, max(SHORTEST_WAIT, seconds if math.isfinite(seconds) else 1.0))


async def _json(response: aiohttp.ClientResponse) -> Any:  # noqa: ANN401 - JSON
    body = await response.read()
    if response.status == HTTPStatus.NO_CONTENT:
        return None
    try:
        return json.loads(body)
    except ValueError:
        raise ApiError("no_json", response.status, "The server's answer is no JSON.") from None


async def _error(response: aiohttp.ClientResponse) -> ApiError:
    try:
        body = json.loads(await response.read())
    except ValueError:
        body = None
    after = _seconds(response.headers.get("Retry-After", ""))
    if after is not None:
        body = {**(body if isinstance(body, dict) else {}), "retry_after": after}
    return ApiError.of(response.status, body)


def _seconds(retry_after: str) -> float | None:
    """What `Retry-After` says, as seconds or as a date; None if it can't be read."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return int(retry_after)
    try:
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _reason(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorError() if error.errno:
            return os.strerror(error.errno).lower()
        case TimeoutError():
            return "it took too long"
        case _:
            return str(error) or type(error).__name__
