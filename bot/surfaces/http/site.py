"""The web site that serves the routes of all surfaces, with limits and common headers."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.typedefs import Middleware

from bot.surfaces.http import problems
from bot.surfaces.http.api import Api
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.request_authenticator import RequestAuthenticator

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""The limit for a request's body."""
STREAMED_BODIES = frozenset({"/files"})
"""Paths whose handlers read larger bodies themselves, within limits of their own."""
BODY_TIMEOUT_S = 5.0
"""Seconds within which a client has to send the body."""
IDLE_TIMEOUT_S = 75.0
"""Seconds that a connection may be idle, take to send a request's headers, or take nothing of an answer."""
SHUTDOWN_TIMEOUT_S = 2.0
"""Seconds that running requests get when the process stops."""
HEADERS = {
    # Reveals neither the name nor the version of a library.
    "Server": "crewdeck",
    "X-Content-Type-Options": "nosniff",
}
REFERRER_POLICY = "no-referrer"
"""The default. Pages with forms set their own policy, because this one hides the origin of forms."""

CACHE_CONTROL = "no-store"
"""The default: what people decide on is for them, and is not left in caches of browsers and proxies."""

EXTRA_HEADERS = web.AppKey("headers", Mapping[str, str])

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    routes: Iterable[web.AbstractRouteDef],
    listener: socket.socket,
    api: Api,
    idle_for: float = IDLE_TIMEOUT_S,
    finish_within: float = SHUTDOWN_TIMEOUT_S,
) -> AsyncIterator[None]:
    """Serve on `listener` during the block; at its end, running requests get a short time to finish."""
    runner = web.AppRunner(application(routes, api), access_log=None, shutdown_timeout=finish_within)
    await runner.setup()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: Connection(runner, loop, idle_for), sock=listener)
        try:
            yield
        finally:
            server.close()
    finally:
        await runner.cleanup()


class Connection(web.RequestHandler):
    """A client connection. Malformed requests are answered here, before the application."""

    __slots__ = ("_idle_for", "_unsent_check")

    def __init__(self, runner: web.AppRunner, loop: asyncio.AbstractEventLoop, idle_for: float) -> None:
        if runner.server is None:
            raise RuntimeError("The site is not set up.")
        super().__init__(
            runner.server,
            loop=loop,
            keepalive_timeout=idle_for,
            access_log_class=NoAccessLog,
            auto_decompress=False,  # no client compresses, and so none can send a decompression bomb
        )
        self._idle_for = idle_for
        #: Due while the client's buffer is full.
        self._unsent_check: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._check_unsent(math.inf)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_check()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end_check()
        super().connection_lost(exc)

    def _check_unsent(self, before: float) -> None:
        """Disconnect a client that has taken nothing since `before` bytes were waiting for it."""
        if self.transport is None:
            return
        unsent = self.transport.get_write_buffer_size()
        if unsent >= before:
            self.transport.abort()
        else:
            loop = asyncio.get_running_loop()
            self._unsent_check = loop.call_later(self._idle_for, self._check_unsent, unsent)

    def _end_check(self) -> None:
        if self._unsent_check is not None:
            self._unsent_check.cancel()
            self._unsent_check = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the response, and free it: aiohttp keeps it for as long as a client waits for its next one.

        What aiohttp refuses before the middleware is answered like any other problem.
        """
        if isinstance(resp, web.HTTPException) and (problem := problems.of(resp)) is not None:
            resp = problem.response()
        sent, reset = await super().finish_response(request, resp, start_time)
        sent.headers.clear()
        if isinstance(sent, web.Response):
            sent.body = None
        return sent, reset

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer malformed HTTP without details and without an error log: scanners send much of it."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            response = super().handle_error(request, status, exc, message)
        elif request.writer.output_size > 0:
            raise ConnectionResetError("An answer is under way already.")
        else:
            log.debug("Malformed HTTP request", reason=type(exc).__name__)
            response = problems.of_status(status).response()
            response.force_close()
        response.headers.update(HEADERS)
        return response


class NoAccessLog(AbstractAccessLogger):
    """Disables the access log: paths and queries can contain private text."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Never called, because `enabled` is False."""

    @property
    def enabled(self) -> bool:
        return False


def application(routes: Iterable[web.AbstractRouteDef], api: Api) -> web.Application:
    """The application with all routes, authentication, limits and response headers."""
    site = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[guarded(api.authenticator)])
    site[EXTRA_HEADERS] = api.headers
    site.on_response_prepare.extend([_set_headers, api.origins.add_cors])
    site.on_shutdown.append(api.close_streams)
    site.add_routes([*routes, *api.routes])
    return site


async def _set_headers(request: web.Request, response: web.StreamResponse) -> None:
    if "Upgrade" in request.headers and not isinstance(response, web.WebSocketResponse):
        # A client that asked for another protocol can't reuse the connection. aiohttp has prepared the header
        # that announces it before: without it the client's next request would meet a closed connection.
        response.force_close()
        response.headers["Connection"] = "close"
    response.headers.update(HEADERS)
    response.headers.update(request.app[EXTRA_HEADERS])
    response.headers.setdefault("Referrer-Policy", REFERRER_POLICY)
    response.headers.setdefault("Cache-Control", CACHE_CONTROL)


async def read_body(request: web.Request) -> None:
    """Read the body before the handler runs, so that slow or endless bodies don't occupy handlers.

    A handler finds one that has arrived already, as most do with their headers.
    """
    if not request.content.is_eof() and request.path not in STREAMED_BODIES:
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except web.RequestPayloadError:
            raise web.HTTPBadRequest from None


def guarded(authenticator: RequestAuthenticator) -> Middleware:
    """All checks before a handler, in one middleware: each further one costs a frame for each stream."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if (answered := await authenticator.authenticate(request)) is not None:
                return answered
            await read_body(request)
            return await handler(request)
        except ConnectionError:
            return web.Response(status=HTTPStatus.BAD_REQUEST)  # the client has disconnected
        except Exception as error:  # noqa: BLE001 - it is logged, or raised again
            return _answer_to(request, error)

    return guard


def _answer_to(request: web.Request, error: Exception) -> web.StreamResponse:
    """Turn every error into a problem with a stable code; internal details are not shown."""
    if isinstance(error, web.HTTPException) and error.status < HTTPStatus.BAD_REQUEST:
        raise error
    if (problem := problems.of(error)) is None:
        log.error("A request failed", method=request.method, path=request.path, exc_info=error)
        problem = Problem("internal_error", "Something went wrong here. It has been logged.")
    return problem.response()
