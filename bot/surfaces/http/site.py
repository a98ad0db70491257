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

from bot.core.errors import CrewdeckError, StoreUnavailable

log = structlog.get_logger(__name__)

MOST_BYTES = 1024 * 1024
"""Of one request's body."""
BODY_WITHIN = 5.0
"""Seconds that a client may take to send a body."""
IDLE_FOR = 75.0
"""Seconds that a connection may have nothing to say, or take to say what it wants."""
CLOSE_WITHIN = 2.0
"""Seconds that answers under way get when the process stops."""
HEADERS = {
    # Neither the name nor the version of what a scanner could look up.
    "Server": "crewdeck",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(routes: Iterable[web.AbstractRouteDef], listener: socket.socket) -> AsyncIterator[None]:
    """Answer on `listener` while the block runs; then answers under way get a moment to finish."""
    runner = web.AppRunner(application(routes), access_log=None, shutdown_timeout=CLOSE_WITHIN)
    await runner.setup()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: Connection(runner, loop), sock=listener)
        try:
            yield
        finally:
            server.close()
    finally:
        await runner.cleanup()


class Connection(web.RequestHandler):
    """A client's connection. What is no HTTP at all is answered here, before any application sees it."""

    def __init__(self, runner: web.AppRunner, loop: asyncio.AbstractEventLoop) -> None:
        if runner.server is None:
            raise RuntimeError("The site is not set up.")
        super().__init__(runner.server, loop=loop, keepalive_timeout=IDLE_FOR, access_log_class=Silent)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        response = super().handle_error(request, status, exc, message)
        response.headers.update(HEADERS)
        return response


class Silent(AbstractAccessLogger):
    """Requests are not logged: their addresses and queries can hold what people wrote."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Not reached: `enabled` is asked first."""

    @property
    def enabled(self) -> bool:
        return False


def application(routes: Iterable[web.AbstractRouteDef]) -> web.Application:
    """The routes, behind limits for what comes in and headers for what goes out."""
    site = web.Application(client_max_size=MOST_BYTES, middlewares=[answer_errors, read_body])
    site.on_response_prepare.append(_set_headers)
    site.add_routes(routes)
    return site


async def _set_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


@web.middleware
async def read_body(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the body before a handler runs, so that none waits for a slow client, or holds an endless one."""
    if request.can_read_body:
        try:
            async with asyncio.timeout(BODY_WITHIN):
                await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
    return await handler(request)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error is a JSON object with a stable code and a sentence; no error shows how we are made."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return problem(error.status, error.reason.lower().replace(" ", "_"), _sentence(error), error.headers)
    except StoreUnavailable as error:
        return problem(503, error.code, "The store is away for the moment. Try again.", {"Retry-After": "2"})
    except CrewdeckError as error:
        return problem(400, error.code, str(error))
    except Exception:
        log.exception("A request failed", method=request.method, path=request.path)
        return problem(500, "internal_error", "Something went wrong here. It has been logged.")


def _sentence(error: web.HTTPException) -> str:
    match error.status:
        case 404:
            return "There is nothing at this address."
        case 408:
            return f"The body has to arrive within {BODY_WITHIN:g} seconds."
        case 413:
            return f"The body may have {MOST_BYTES} bytes at most."
        case _:
            return f"{error.reason}."


def problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as every route answers it: `{"error": {"code", "message"}}`."""
    kept = {name: value for name, value in (headers or {}).items() if name in {"Allow", "Retry-After"}}
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=kept)
