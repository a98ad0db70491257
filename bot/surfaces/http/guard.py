"""The door: who may come in at all. It stands before every route, whoever's it is.

Without keys the API trusts the person at this machine, and a web page they look at must not be able to speak
for them: it would come with another `Origin`, or under another `Host` (DNS rebinding). Nor must a proxy or
tunnel that somebody opened for Slack let the world in: it forwards, and says so. `/slack/...` checks
signatures of its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.core.access import Scope
from bot.core.sessions import Door
from bot.surfaces.http.auth import CALLER, LOCAL, Caller, Ring, caller_of, secret_of, signed_in
from bot.surfaces.http.limits import Rates
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.sight import Sight

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN = frozenset({"/health"})
"""Answered to everybody, always."""
SIGNED = "/slack/"
"""Verified by signature, by those who answer there."""
DOCUMENTS = frozenset({"/docs", "/openapi.json"})
"""The same in every installation: with keys in use, nothing that needs one."""
PROBES = frozenset({"/ready", "/metrics"})
FORWARDED = ("Forwarded", "Via", "X-Real-IP")


def is_loopback(host: str) -> bool:
    """Whether this address or name is this machine and no other."""
    name = host.strip("[]").partition("%")[0].lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


class Guard:
    """Lets callers in, or says why not."""

    def __init__(
        self,
        ring: Ring,
        rates: Rates,
        sight: Sight,
        door: Door | None = None,
        *,
        host: str,
        origins: Sequence[str],
    ) -> None:
        self._sight = sight
        self._ring = ring
        self._rates = rates
        self._door = door
        self._on_loopback = is_loopback(host)
        self._origins = frozenset(origins)

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path not in OPEN and not request.path.startswith(SIGNED):
                if self._is_preflight(request):
                    return web.Response(status=204)
                await self._admit(request)
            return await handler(request)

        return guard

    async def add_cors(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let pages of the named origins read the answer."""
        origin = request.headers.get("Origin", "")
        if origin not in self._origins:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After"
        response.headers.add("Vary", "Origin")
        if self._is_preflight(request):
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
            response.headers["Access-Control-Allow-Headers"] = (
                "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
            )
            response.headers["Access-Control-Max-Age"] = "600"

    def _is_preflight(self, request: web.Request) -> bool:
        return (
            request.method == "OPTIONS"
            and request.headers.get("Origin", "") in self._origins
            and "Access-Control-Request-Method" in request.headers
        )

    async def _admit(self, request: web.Request) -> None:
        if not await self._ring.locked():
            self._check_local(request)
            request[CALLER] = await self._visitor(request) or LOCAL
        elif not self._public(request.path):
            request[CALLER] = caller = await self._visitor(request) or await self._holder(request)
            if request.path in PROBES:
                caller.require(Scope.READ)

    async def still(self, caller: Caller) -> bool:
        """Whether it would let this caller in now: keys and sessions end while streams are open."""
        if (caller.session is None or caller.key is not None) and not await self._ring.still(caller):
            return False
        return caller.session is None or self._door is None or await self._door.still(caller.session)

    def _public(self, path: str) -> bool:
        return path in DOCUMENTS or (self._door is not None and self._door.public(path))

    async def _visitor(self, request: web.Request) -> Caller | None:
        """Who has signed in, if they have and send nothing else that says who they are."""
        if self._door is None or secret_of(request):
            return None
        session = await self._door.session(request.cookies)
        if session is None:
            return None
        key = await self._ring.find_digest(session.key) if session.key else None
        if session.key and key is None:
            return None
        _check_forgery(request)
        self._rates.take(key.name if key else session.actor.principal)
        caller = signed_in(session, key)
        await self._sight.check(request, caller)
        return caller

    async def _holder(self, request: web.Request) -> Caller:
        key = await self._ring.find(secret_of(request))
        if key is None:
            raise Problem(
                "unauthenticated",
                "This needs a valid API key: Authorization: Bearer <key>.",
                headers={"WWW-Authenticate": 'Bearer realm="crewdeck"'},
            )
        self._rates.take(key.name)
        return caller_of(key)

    def _check_local(self, request: web.Request) -> None:
        if not self._on_loopback:
            raise Problem("keys_required", KEYS_REQUIRED)
        if any(name in request.headers for name in FORWARDED) or _has_forwarding(request):
            raise Problem("forwarded", "Without API keys, requests that were forwarded are refused.")
        if request.remote is not None and request.remote != "" and not is_loopback(request.remote):
            raise Problem("not_local", "Without API keys only this machine may call.")
        if not is_loopback(_hostname(f"//{request.headers.get('Host', '')}")):
            raise Problem("wrong_host", "Without API keys, call 127.0.0.1 or localhost by that name.")
        self._check_origin(request)

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get("Origin")
        if origin is None or origin in self._origins:
            return
        if not _from_here(request):
            raise Problem(
                "wrong_origin",
                "Pages of other origins may not call, unless CREWDECK_CORS_ORIGINS names them.",
            )


def _check_forgery(request: web.Request) -> None:
    """A cookie comes along whoever made the browser call, so what changes something must come from our pages.

    A browser names the page's origin with each such call, and with each WebSocket.
    """
    if request.method in {"GET", "HEAD"} and "Upgrade" not in request.headers:
        return
    if not _from_here(request):
        raise Problem("wrong_origin", "With a session only this server's own pages may call.")


KEYS_REQUIRED = (
    "The API needs keys to answer beyond this machine: make one with `crewdeck keys add NAME`, or set "
    "CREWDECK_API_KEYS; or set HOST=127.0.0.1."
)


def _has_forwarding(request: web.Request) -> bool:
    return any(name.lower().startswith("x-forwarded-") for name in request.headers)


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _from_here(request: web.Request) -> bool:
    """Whether a page of this server sent it."""
    try:
        where = urlsplit(request.headers.get("Origin", "")).netloc
    except ValueError:
        return False
    return where.lower() == request.headers.get("Host", "").lower()
