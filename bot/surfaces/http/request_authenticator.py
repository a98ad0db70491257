"""Authentication of every request to the site, before its route runs.

Without API keys the API trusts the local user. Web pages in the user's browser must not act for them, so
requests with a foreign `Origin` or `Host` (DNS rebinding) are refused. Requests through a proxy or tunnel,
as Slack and Teams may need one, are refused by the headers that most of them add; and where the settings
suggest one, only the local user's token is accepted (`LocalTrust`). Requests to `/slack/...` and
`/api/messages` are verified by their signature or token, in the handlers there.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import web

from bot.core.addresses import is_loopback
from bot.core.errors import StoreUnavailable
from bot.core.people.api_keys import Scope
from bot.core.sessions import SessionAuthenticator
from bot.surfaces.http.callers import (
    CALLER,
    LOCAL,
    Caller,
    KeyCache,
    KeyRateLimiter,
    Visibility,
    caller_of,
    secret_of,
    signed_in,
)
from bot.surfaces.http.problems import Problem
from bot.surfaces.trust import FailedKeyAttempts, LocalTrust, is_own_origin

ALWAYS_OPEN_PATHS = frozenset({"/health"})
"""Paths that need no authentication."""
SIGNED_PREFIXES = ("/slack/", "/api/messages")
"""Requests below these paths are verified by their signature or token, in their handlers."""
DOCUMENT_PATHS = frozenset({"/docs", "/openapi.json"})
"""Documents that are the same in every installation: public once keys are in use."""
READY_PATH = "/ready"
PROBE_PATHS = frozenset({READY_PATH, "/metrics"})
KEYS_TIMEOUT_S = 2.0
"""How long what needs no store waits for the keys. Probes have time limits, and a store may hang."""

FORWARDING_HEADERS = frozenset(
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
"""Headers that proxies and tunnels add."""
FORWARDING_HEADER_PREFIXES = ("x-forwarded", "x-original-", "x-envoy-", "cf-", "fastly-")


@dataclass(frozen=True)
class Origins:
    """The origins whose pages may call the API."""

    #: Origins of other servers, from the settings.
    named: frozenset[str]
    #: The public address of this server; "" if it is not configured.
    public_url: str

    async def add_cors(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add CORS headers for the configured origins."""
        origin = request.headers.get("Origin", "")
        if origin not in self.named:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After"
        response.headers.add("Vary", "Origin")
        if self.is_preflight(request):
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
            response.headers["Access-Control-Allow-Headers"] = (
                "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
            )
            response.headers["Access-Control-Max-Age"] = "600"

    def is_preflight(self, request: web.Request) -> bool:
        """Whether a page of another server asks what it may send."""
        return (
            request.method == "OPTIONS"
            and request.headers.get("Origin", "") in self.named
            and "Access-Control-Request-Method" in request.headers
        )


class RequestAuthenticator:
    """Authenticates callers, or refuses the request with a reason."""

    def __init__(
        self,
        keys: KeyCache,
        rates: KeyRateLimiter,
        visibility: Visibility,
        authenticator: SessionAuthenticator | None,
        trust: LocalTrust,
        wrong_keys: FailedKeyAttempts,
        origins: Origins,
    ) -> None:
        self._visibility = visibility
        self._keys = keys
        self._rates = rates
        self._sessions = authenticator
        self._trust = trust
        self._wrong_keys = wrong_keys
        self._origins = origins

    async def authenticate(self, request: web.Request) -> web.StreamResponse | None:
        """Set the request's caller. Raises Problem. Returns the response to a preflight."""
        if request.path in ALWAYS_OPEN_PATHS or request.path.startswith(SIGNED_PREFIXES):
            return None
        if self._origins.is_preflight(request):
            return web.Response(status=204)
        await self._authenticate(request)
        return None

    async def _authenticate(self, request: web.Request) -> None:
        await self._read_keys(request.path)
        if not self._keys.locked:
            await self._authenticate_without_keys(request)
        elif not self._public(request.path):
            request[CALLER] = caller = await self._session_caller(request) or self._holder(request)
            if request.path in PROBE_PATHS:
                caller.require(Scope.READ)

    async def _read_keys(self, path: str) -> None:
        """Read the keys. While the store is away, probes and public files go by what was read last.

        Raises StoreUnavailable.
        """
        if path not in PROBE_PATHS and not self._public(path):
            await self._keys.refresh()
            return
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(KEYS_TIMEOUT_S):
                await self._keys.refresh()

    async def _authenticate_without_keys(self, request: web.Request) -> None:
        if self._trust.local_only:
            self._check_local(request)
            if not self._public(request.path):
                request[CALLER] = await self._session_caller(request) or LOCAL
            return
        try:
            self._check_local(request)
        except Problem as problem:
            raise self._keys_required() from problem
        if self._needs_nobody(request.path):
            return
        caller = await self._session_caller(request) or self._local_user(request)
        if caller is None:
            raise self._keys_required()
        request[CALLER] = caller

    def _keys_required(self) -> Problem:
        return Problem("keys_required", self._trust.keys_required)

    def _local_user(self, request: web.Request) -> Caller | None:
        """The local user, if the request carries their token."""
        secret = secret_of(request)
        if self._trust.is_local_user(secret):
            return LOCAL
        if secret:
            self._count_wrong(request)
        return None

    def _needs_nobody(self, path: str) -> bool:
        """Whether the path is public for local callers: the console's files and the readiness probe."""
        if self._sessions is not None and self._sessions.public(path):
            return True
        return path == READY_PATH and "HOST" not in self._trust.exposed_by

    async def still_valid(self, caller: Caller) -> bool:
        """Whether the caller is still authenticated: keys and sessions may end while streams are open."""
        if (caller.local or caller.key is not None) and not await self._keys.still_valid(caller):
            return False
        return (
            caller.session is None
            or self._sessions is None
            or await self._sessions.still_valid(caller.session)
        )

    def _public(self, path: str) -> bool:
        return path in DOCUMENT_PATHS or (self._sessions is not None and self._sessions.public(path))

    async def _session_caller(self, request: web.Request) -> Caller | None:
        """The caller with a session. None without a session, or if the request has another credential."""
        if self._sessions is None or secret_of(request):
            return None
        session = await self._sessions.session(request.cookies)
        if session is None:
            return None
        key = self._keys.find_digest(session.key) if session.key else None
        if (session.key and key is None) or (session.local and self._keys.locked):
            return None
        self._check_forgery(request)
        if session.local:
            return signed_in(session, None)
        caller = signed_in(session, key)
        self._rates.take(caller.rate_limit_key)
        if caller.is_person:
            caller = await self._visibility.recognised(caller)
        await self._visibility.check(request, caller)
        return caller

    def _holder(self, request: web.Request) -> Caller:
        secret = secret_of(request)
        key = self._keys.find(secret)
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
        """Raises Problem (rate_limited) after too many wrong keys from this address."""
        if seconds := self._wrong_keys.count(request.remote):
            raise Problem(
                "rate_limited",
                "Too many wrong keys have come from this address.",
                headers={"Retry-After": str(seconds)},
            )

    def _check_local(self, request: web.Request) -> None:
        """Raises Problem unless the request comes from a program or a permitted page on this machine."""
        if _is_forwarded(request):
            raise Problem("forwarded", "Without API keys, requests that were forwarded are refused.")
        if request.remote is not None and request.remote != "" and not is_loopback(request.remote):
            raise Problem("not_local", "Without API keys only this machine may call.")
        if not _names_this_machine(request.headers.get("Host", "")):
            raise Problem("wrong_host", "Without API keys, call 127.0.0.1 or localhost by that name.")
        self._check_origin(request)

    def _check_origin(self, request: web.Request) -> None:
        sent_by = request.headers.get("Origin")
        if sent_by is None or sent_by in self._origins.named:
            return
        if not is_own_origin(request, self._origins.public_url):
            raise Problem(
                "wrong_origin",
                "Pages of other origins may not call, unless CREWDECK_CORS_ORIGINS names them.",
            )

    def _check_forgery(self, request: web.Request) -> None:
        """Prevent CSRF: requests with a session that change something must come from this server's own pages.

        Browsers send the page's origin with all such requests and with every WebSocket.
        """
        if request.method in {"GET", "HEAD"} and "Upgrade" not in request.headers:
            return
        if not is_own_origin(request, self._origins.public_url):
            raise Problem(
                "wrong_origin",
                "With a session only this server's own pages may call. Behind a proxy, set "
                "CREWDECK_PUBLIC_URL, or let it pass the Host on and set X-Forwarded-Proto.",
            )


def _is_forwarded(request: web.Request) -> bool:
    names = set(map(str.lower, request.headers))
    return not names.isdisjoint(FORWARDING_HEADERS) or any(
        name.startswith(FORWARDING_HEADER_PREFIXES) for name in names
    )


@lru_cache(maxsize=64)
def _names_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
