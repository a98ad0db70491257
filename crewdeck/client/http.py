"""Calls: one request, its answer or its error; and again where that can do no harm. Asynchronous and not."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx

from crewdeck.client.errors import ApiError, Unreachable

CALL_TIMEOUT_S = 30.0
SILENCE_TIMEOUT_S = 15.0
"""After so long a silent stream is taken for dead. The server says something every 4 s at least."""
MAX_TRIES = 4
"""How often a call is made whose answer was lost, or that was told to come back later."""
RETRY_DELAY_S = 0.2
RETRIED_STATUSES = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}
)
MAX_WAIT_S = 30.0
"""A call that is to come back later than that is not made again."""
MIN_WAIT_S = 0.2

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Result]):
    """A request of the API, and how its answer is read."""

    method: str
    path: str
    read: Callable[[Any], Result]
    body: object = None
    #: Sent as it is, in place of a JSON body.
    content: bytes | None = None
    #: The answer isn't JSON: `read` gets its bytes.
    raw: bool = False
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    #: It is made again when its answer was lost. Any call is when the server says "later".
    repeatable: bool = True


class Server:
    """Where one server is, and what goes with each request to it."""

    def __init__(self, url: str, key: str | None) -> None:
        """Raises ValueError, which doesn't quote the key, if it is none."""
        self.url = url.rstrip("/")
        #: Without a password.
        self._shown = re.sub(r"//[^/?#]*@", "//", self.url)
        self._key = (key or "").strip()  # what is read from a file ends with its newline
        if not is_header_value(self._key):
            raise ValueError("This is no API key: it has characters that no key has.")

    def options(self) -> dict[str, Any]:
        """What an httpx client of this server is made with."""
        return {
            "headers": {"Authorization": f"Bearer {self._key}"} if self._key else {},
            "timeout": CALL_TIMEOUT_S,
            "limits": httpx.Limits(max_connections=None),
            "verify": ssl.create_default_context() if self.url.startswith("https:") else False,
            "trust_env": False,
            "follow_redirects": False,  # the key is for this server alone
        }

    def request(self, call: Call[Any]) -> dict[str, Any]:
        """A call as arguments of httpx."""
        return {
            "method": call.method,
            "url": self.url + call.path,
            "json": call.body,
            "content": call.content,
            "params": call.query,
            "headers": call.headers,
        }

    def stream_request(self, path: str, cursor: str) -> dict[str, Any]:
        return {
            "method": "GET",
            "url": self.url + path,
            "headers": {"Accept": "text/event-stream"},
            "params": {"last_event_id": cursor} if cursor else None,
            "timeout": httpx.Timeout(CALL_TIMEOUT_S, read=SILENCE_TIMEOUT_S),
        }

    def no_answer(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self._shown} gives no answer: {_reason(error).rstrip('.')}.")

    def pause(self, error: ApiError | Unreachable, call: Call[Any], tries: int) -> float:
        """Seconds after which a call that failed so often is made again; raises the error where it isn't."""
        if tries >= MAX_TRIES:
            raise error
        if isinstance(error, ApiError):
            if error.status not in RETRIED_STATUSES or _asked_wait(error) > MAX_WAIT_S:
                raise error
            return wait_of(error)
        if not call.repeatable or isinstance(error.__cause__, httpx.ConnectError):
            raise error
        return RETRY_DELAY_S

    def check_stream(self, response: httpx.Response) -> None:
        """Raise ApiError unless the answer is an event stream."""
        if response.headers.get("Content-Type", "").partition(";")[0].strip() != "text/event-stream":
            raise ApiError("no_stream", response.status_code, f"{self._shown} answers with no event stream.")


class Http:
    """A connection to one server for threads."""

    def __init__(self, url: str, key: str | None) -> None:
        self.server = Server(url, key)
        self._client: httpx.Client | None = None

    def open(self) -> None:
        self._client = httpx.Client(**self.server.options())

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def call(self, call: Call[Result]) -> Result:
        """The result of a call. Raises ApiError and Unreachable."""
        tries = 0
        while True:
            tries += 1
            try:
                with self._answered(self.server.request(call)) as response:
                    body = response.read()
                    return call.read(body if call.raw else _json(response, body))
            except (ApiError, Unreachable) as error:
                time.sleep(self.server.pause(error, call, tries))

    @contextmanager
    def stream(self, path: str, cursor: str) -> Iterator[httpx.Response | None]:
        """An event stream; None: nothing more is to come (204). Raises as `call` does, in the block too."""
        with self._answered(self.server.stream_request(path, cursor)) as response:
            if response.status_code == HTTPStatus.NO_CONTENT:
                yield None
                return
            self.server.check_stream(response)
            yield response

    @contextmanager
    def _answered(self, request: Mapping[str, Any]) -> Iterator[httpx.Response]:
        if self._client is None:
            raise RuntimeError("Use the client as `with SyncClient(...) as client:`.")
        try:
            with self._client.stream(**request) as response:
                if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                    raise _error(response, response.read())
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise self.server.no_answer(error) from error


class AsyncHttp:
    """As `Http`, for asyncio."""

    def __init__(self, url: str, key: str | None) -> None:
        self.server = Server(url, key)
        self._client: httpx.AsyncClient | None = None

    def open(self) -> None:
        self._client = httpx.AsyncClient(**self.server.options())

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def call(self, call: Call[Result]) -> Result:
        tries = 0
        while True:
            tries += 1
            try:
                async with self._answered(self.server.request(call)) as response:
                    body = await response.aread()
                    return call.read(body if call.raw else _json(response, body))
            except (ApiError, Unreachable) as error:
                await asyncio.sleep(self.server.pause(error, call, tries))

    @asynccontextmanager
    async def stream(self, path: str, cursor: str) -> AsyncIterator[httpx.Response | None]:
        async with self._answered(self.server.stream_request(path, cursor)) as response:
            if response.status_code == HTTPStatus.NO_CONTENT:
                yield None
                return
            self.server.check_stream(response)
            yield response

    @asynccontextmanager
    async def _answered(self, request: Mapping[str, Any]) -> AsyncIterator[httpx.Response]:
        if self._client is None:
            raise RuntimeError("Use the client as `async with Client(...) as client:`.")
        try:
            async with self._client.stream(**request) as response:
                if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                    raise _error(response, await response.aread())
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise self.server.no_answer(error) from error


def is_header_value(text: str) -> bool:
    """Whether a header can carry this text."""
    return text.isascii() and text.isprintable()


def wait_of(error: ApiError) -> float:
    """Seconds after which the server wants to be asked again: a pause in any case."""
    return min(MAX_WAIT_S, max(MIN_WAIT_S, _asked_wait(error)))


def _asked_wait(error: ApiError) -> float:
    try:
        seconds = float(error.problem.get("retry_after", 1))
    except (TypeError, ValueError):
        return 1.0
    return seconds if math.isfinite(seconds) else 1.0


def _json(response: httpx.Response, body: bytes) -> Any:  # noqa: ANN401 - JSON
    if response.status_code == HTTPStatus.NO_CONTENT:
        return None
    try:
        return json.loads(body)
    except ValueError:
        raise ApiError("no_json", response.status_code, "The server's answer is no JSON.") from None


def _error(response: httpx.Response, body: bytes) -> ApiError:
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    after = _seconds(response.headers.get("Retry-After", ""))
    if after is not None:
        problem = {**(problem if isinstance(problem, dict) else {}), "retry_after": after}
    return ApiError.of(response.status_code, problem)


def _seconds(retry_after: str) -> float | None:
    """What `Retry-After` says, as seconds or as a date; None if it can't be read."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return int(retry_after)
    try:
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _reason(error: BaseException) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):  # its errno is no number of the system
            return "it doesn't speak TLS, as https needs it"
        if isinstance(cause, OSError) and cause.errno:
            # Names that can't be resolved have negative numbers.
            return (os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)).lower()
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
