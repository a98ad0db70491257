"""One web site for all surfaces' routes, with what has to hold for every answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from bot.surfaces.http import problems
from bot.surfaces.http.api import Api
from bot.surfaces.http.problems import Problem

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""Of one request's body."""
BODY_TIMEOUT_S = 5.0
"""Seconds that a client may take to send a body."""
IDLE_TIMEOUT_S = 75.0
"""Seconds that a connection may have nothing to say, or take to say what it wants."""
SHUTDOWN_TIMEOUT_S = 2.0
"""Seconds that answers under way get when the process stops."""
HEADERS = {
    # Neither the name nor the version of what a scanner could look up.
    "Server": "crewdeck",
    "X-Content-Type-Options": "nosniff",
}
REFERRER_POLICY = "no-referrer"
"""Unless a page with a form has its own: with this one, browsers don't name the form's origin."""

EXTRA_HEADERS = web.AppKey("headers", Mapping[str, str])

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    routes: Iterable[web.AbstractRouteDef],
    listener: socket.socket,
    api: Api,
    idle_for: float = IDLE_TIMEOUT_S,
) -> AsyncIterator[None]:
    """Answer on `listener` while the block runs; then answers under way get a moment to finish."""
    runner = web.AppRunner(application(routes, api), access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
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
    """A client's connection. What is no HTTP at all is answered here, before any application sees it."""

    def __init__(self, runner: web.AppRunner, loop: asyncio.AbstractEventLoop, idle_for: float) -> None:
        if runner.server is None:
            raise RuntimeError("The site is not set up.")
        super().__init__(
            runner.server,
            loop=loop,
            keepalive_timeout=idle_for,
            access_log_class=Silent,
            auto_decompress=False,  # nobody compresses questions, and who doesn't can't be made to burst
        )

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP is the client's mistake: scanners must not fill the log, nor read what we read."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            response = super().handle_error(request, status, exc, message)
        elif request.writer.output_size > 0:
            raise ConnectionResetError("An answer is under way already.")
        else:
            log.debug("Malformed HTTP request", reason=type(exc).__name__)
            response = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n")
            response.force_close()
        response.headers.update(HEADERS)
        return response


class Silent(AbstractAccessLogger):
    """Requests are not logged: their addresses and queries can hold what people wrote."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Not reached: `enabled` is asked first."""

    @property
    def enabled(self) -> bool:
        return False


def application(routes: Iterable[web.AbstractRouteDef], api: Api) -> web.Application:
    """All routes, behind the API's auth, limits for what comes in and headers for what goes out."""
    site = web.Application(
        client_max_size=MAX_BODY_BYTES, middlewares=[answer_errors, *api.middlewares, read_body]
    )
    site[EXTRA_HEADERS] = api.headers
    site.on_response_prepare.extend([_set_headers, api.auth.add_cors])
    site.on_shutdown.append(api.close_streams)
    site.add_routes([*routes, *api.routes])
    return site


async def _set_headers(request: web.Request, response: web.StreamResponse) -> None:
    if "Upgrade" in request.headers and not isinstance(response, web.WebSocketResponse):
        response.force_close()  # who wanted another protocol is not read any more as one that speaks this
    response.headers.update(HEADERS)
    response.headers.update(request.app[EXTRA_HEADERS])
    response.headers.setdefault("Referrer-Policy", REFERRER_POLICY)


@web.middleware
async def read_body(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the body before a handler runs, so that none waits for a slow client, or holds an endless one."""
    if request.can_read_body:
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except web.RequestPayloadError:
            raise web.HTTPBadRequest from None
    return await handler(request)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error is a problem with a stable code and a sentence; no error shows how we are made."""
    try:
        return await handler(request)
    except ConnectionError:
        return web.Response(status=HTTPStatus.BAD_REQUEST)  # the client has gone: nobody will read it
    except Exception as error:
        if isinstance(error, web.HTTPException) and error.status < HTTPStatus.BAD_REQUEST:
            raise
        if (problem := problems.of(error)) is None:
            log.exception("A request failed", method=request.method, path=request.path)
            problem = Problem("internal_error", "Something went wrong here. It has been logged.")
        return problem.response()
