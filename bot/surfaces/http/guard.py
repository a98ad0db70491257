"""The door: who may come in at all. It stands before every route, whoever's it is.

Without keys the API trusts the person at this machine, and a web page they look at must not be able to speak
for them: it would come with another `Origin`, or under another `Host` (DNS rebinding). Nor must a proxy or
tunnel that somebody opened for Slack let the world in: most of them say that they forward, and where any is
to be expected, nothing is believed but the user's token (`LocalTrust`). `/slack/...` checks signatures of its
own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.core.access import Scope
from bot.core.addresses import is_loopback
from bot.core.sessions import Door
from bot.surfaces import origin
from bot.surfaces.http.auth import CALLER, LOCAL, Caller, Ring, caller_of, secret_of, signed_in
from bot.surfaces.http.limits import Rates
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.sight import Sight
from bot.surfaces.throttle import WrongKeys
from bot.surfaces.trust import LocalTrust

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN = frozenset({"/health"})
"""Answered to everybody, always."""
SIGNED = "/slack/"
"""Verified by signature, by those who answer there."""
DOCUMENTS = frozenset({"/docs", "/openapi.json"})
"""The same in every installation: with keys in use, nothing that needs one."""
READY = "/ready"
PROBES = frozenset({READY, "/metrics"})

FORWARDING = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "true-client-ip",
        "x-arr-ssl",
        "x-amzn-trace-id",
    }
)
"""Headers of proxies and tunnels."""
FORWARDING_STARTS = ("x-forwarded", "x-original-", "x-envoy-", "cf-", "fastly-")


@dataclass(frozen=True)
class Origins:
    """Whose pages may call."""

    #: Those of other servers.
    named: frozenset[str]
    #: Where browsers reach this one; "": nobody said so.
    public_url: str


class Guard:
    """Lets callers in, or says why not."""

    def __init__(
        self,
        ring: Ring,
        rates: Rates,
        sight: Sight,
        door: Door | None,
        trust: LocalTrust,
        wrong_keys: WrongKeys,
        origins: Origins,
    ) -> None:
        self._sight = sight
        self._ring = ring
        self._rates = rates
        self._door = door
        self._trust = trust
        self._wrong_keys = wrong_keys
        self._origins = origins

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
        if origin not in self._origins.named:
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
            and request.headers.get("Origin", "") in self._origins.named
            and "Access-Control-Request-Method" in request.headers
        )

    async def _admit(self, request: web.Request) -> None:
        if not await self._ring.locked():
            await self._admit_without_keys(request)
        elif not self._public(request.path):
            request[CALLER] = caller = await self._visitor(request) or await self._holder(request)
            if request.path in PROBES:
                caller.require(Scope.READ)

    async def _admit_without_keys(self, request: web.Request) -> None:
        if self._trust.plain:
            self._check_local(request)
            request[CALLER] = await self._visitor(request) or LOCAL
            return
        try:
            self._check_local(request)
        except Problem as problem:
            raise self._keys_required() from problem
        caller = await self._visitor(request) or self._local_user(request)
        if caller is not None:
            request[CALLER] = caller
        elif not self._needs_nobody(request.path):
            raise self._keys_required()

    def _keys_required(self) -> Problem:
        return Problem("keys_required", self._trust.keys_required)

    def _local_user(self, request: web.Request) -> Caller | None:
        """The person at this machine, if the request carries their token."""
        secret = secret_of(request)
        if self._trust.knows(secret):
            return LOCAL
        if secret:
            self._count_wrong(request)
        return None

    def _needs_nobody(self, path: str) -> bool:
        """What is the same for everybody at this machine: the console's files, and whether we are ready."""
        if self._door is not None and self._door.public(path):
            return True
        return path == READY and "HOST" not in self._trust.exposed_by

    async def still(self, caller: Caller) -> bool:
        """Whether it would let this caller in now: keys and sessions end while streams are open."""
        if (caller.local or caller.key is not None) and not await self._ring.still(caller):
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
        if (session.key and key is None) or (session.local and await self._ring.locked()):
            return None
        self._check_forgery(request)
        if session.local:
            return signed_in(session, None)
        self._rates.take(key.name if key else session.actor.principal)
        caller = signed_in(session, key)
        await self._sight.check(request, caller)
        return caller

    async def _holder(self, request: web.Request) -> Caller:
        secret = secret_of(request)
        key = await self._ring.find(secret)
        if key is None:
            if secret:
                self._count_wrong(request)
            raise Problem(
                "unauthenticated",
                "This needs a valid API key: Authorization: Bearer <key>.",
                headers={"WWW-Authenticate": 'Bearer realm="crewdeck"'},
            )
        self._rates.take(key.name)
        return caller_of(key)

    def _count_wrong(self, request: web.Request) -> None:
        """Raises Problem (rate_limited) for who tries one wrong key after the other."""
        if seconds := self._wrong_keys.count(request.remote):
            raise Problem(
                "rate_limited",
                "Too many wrong keys have come from this address.",
                headers={"Retry-After": str(seconds)},
            )

    def _check_local(self, request: web.Request) -> None:
        """Raises Problem if the request can't come from a program or page of this machine's user."""
        if _is_forwarded(request):
            raise Problem("forwarded", "Without API keys, requests that were forwarded are refused.")
        if request.remote is not None and request.remote != "" and not is_loopback(request.remote):
            raise Problem("not_local", "Without API keys only this machine may call.")
        if not is_loopback(_hostname(f"//{request.headers.get('Host', '')}")):
            raise Problem("wrong_host", "Without API keys, call 127.0.0.1 or localhost by that name.")
        self._check_origin(request)

    def _check_origin(self, request: web.Request) -> None:
        sent_by = request.headers.get("Origin")
        if sent_by is None or sent_by in self._origins.named:
            return
        if not origin.is_own(request, self._origins.public_url):
            raise Problem(
                "wrong_origin",
                "Pages of other origins may not call, unless CREWDECK_CORS_ORIGINS names them.",
            )

    def _check_forgery(self, request: web.Request) -> None:
        """What changes something must come from our pages, for a cookie comes along whoever made the call.

        A browser names the page's origin with each such call, and with each WebSocket.
        """
        if request.method in {"GET", "HEAD"} and "Upgrade" not in request.headers:
            return
        if not origin.is_own(request, self._origins.public_url):
            raise Problem(
                "wrong_origin",
                "With a session only this server's own pages may call. Behind a proxy, set "
                "CREWDECK_PUBLIC_URL, or let it pass the Host on and set X-Forwarded-Proto.",
            )


def _is_forwarded(request: web.Request) -> bool:
    names = (name.lower() for name in request.headers)
    return any(name in FORWARDING or name.startswith(FORWARDING_STARTS) for name in names)


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
