"""Who calls: the holder of an API key, or, where there have never been keys, the person at this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from bot.core import access
from bot.core.access import KEYS_TOPIC, ApiKey, ApiKeys, Scope, matching
from bot.core.actor import Actor
from bot.core.errors import StoreUnavailable
from bot.core.feed import Feed, Signal
from bot.core.sessions import Session
from bot.surfaces.http.problems import Problem

KEYS_MAX_AGE_S = 5.0
"""Seconds after which the stored keys are read again although nothing told that they changed."""


@dataclass(frozen=True)
class Caller:
    """Who calls, and what they may do."""

    actor: Actor
    scopes: frozenset[Scope]
    #: The key they hold; None for the local person.
    key: ApiKey | None = None
    #: Their session, if they signed in.
    session: Session | None = None

    @property
    def local(self) -> bool:
        """The local person, whom the server knows without a key."""
        return self.key is None and (self.session is None or self.session.local)

    @property
    def is_person(self) -> bool:
        """A person who is here as themselves, and sees what is theirs to know of."""
        return self.key is None and not self.local

    def require(self, scope: Scope) -> None:
        """Raises Problem (missing_scope)."""
        if not self.scopes & {scope, Scope.ADMIN}:
            raise Problem("missing_scope", f"This key lacks the scope {scope}.")

    def acting(self, on_behalf_of: str | None) -> Actor:
        """The actor, with the person that the caller says it acts for."""
        return self.actor.model_copy(update={"on_behalf_of": on_behalf_of or ""})


LOCAL = Caller(access.LOCAL, frozenset(Scope))
"""The person at this machine."""
NOBODY = Caller(Actor(surface="http", user_id="nobody"), frozenset())
"""Who calls what everybody may."""
CALLER = web.RequestKey("caller", Caller)
"""Where a request keeps its caller."""


def caller_of(key: ApiKey) -> Caller:
    """Who calls when this key does."""
    return Caller(key.actor(), frozenset(key.scopes), key)


def signed_in(session: Session, key: ApiKey | None) -> Caller:
    """Who calls when somebody does who has signed in, with this key or (None) as themselves."""
    if session.local:
        return Caller(LOCAL.actor, LOCAL.scopes, session=session)
    scopes = key.scopes if key else session.scopes
    actor = session.actor.model_copy(update={"admin": key is not None and Scope.ADMIN in key.scopes})
    return Caller(actor, frozenset(scopes), key, session)


class KeyCache:
    """The keys that are valid now: those of the settings, and those in the store."""

    def __init__(self, api_keys: ApiKeys, feed: Feed, fixed: Sequence[ApiKey]) -> None:
        self._api_keys = api_keys
        self._fixed = tuple(fixed)
        self._stored: tuple[ApiKey, ...] = ()
        self._locked = bool(fixed)
        self._changed = Signal()
        self._read_at = float("-inf")
        feed.add(self._changed, KEYS_TOPIC)

    async def open(self) -> None:
        """Read the keys; note that there are some. Raises StoreUnavailable."""
        if self._fixed:
            await self._api_keys.lock()
        await self._refresh()

    async def locked(self) -> bool:
        """Whether a key has ever existed: without one there is then no way in."""
        await self._refresh()
        return self._locked

    async def find(self, secret: str) -> ApiKey | None:
        """The valid key whose secret this is."""
        await self._refresh()
        return matching(secret, self._all)

    async def find_digest(self, digest: str) -> ApiKey | None:
        """The valid key with this digest."""
        await self._refresh()
        return next((key for key in self._all if key.digest == digest and key.revoked_at is None), None)

    async def still(self, caller: Caller) -> bool:
        """Whether what let this caller in would do so now: keys are revoked while streams are open.

        While the store is away, what was read last holds: nothing new comes through a stream then.
        """
        with suppress(StoreUnavailable):
            await self._refresh()
        if caller.key is None:
            return not self._locked
        return any(
            key.digest == caller.key.digest and key.scopes == caller.key.scopes and key.revoked_at is None
            for key in self._all
        )

    @property
    def usable(self) -> bool:
        """Whether anybody holds a valid key, as far as was read."""
        return any(key.revoked_at is None for key in self._all)

    @property
    def _all(self) -> tuple[ApiKey, ...]:
        return (*self._fixed, *self._stored)

    async def _refresh(self) -> None:
        if not self._changed.woken and time.monotonic() - self._read_at < KEYS_MAX_AGE_S:
            return
        self._changed.clear()
        # Who asks meanwhile goes on with what was read last, or all streams would read at once.
        self._read_at = time.monotonic()
        try:
            stored = tuple(await self._api_keys.list())
            self._locked = self._locked or bool(stored) or await self._api_keys.locked()
        except BaseException:
            self._read_at = float("-inf")  # the next one tries again
            raise
        self._stored = stored


def secret_of(request: web.Request) -> str:
    """The secret that came with a request: as a bearer token, or, to open a WebSocket, in the query."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.query.get("token", "") if request.path.startswith("/ws/") else ""


BURST_S = 2.0
"""Seconds' worth of calls that may come at once."""


class KeyRateLimiter:
    """Buckets that fill at `rate` calls a second."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._full = max(1.0, rate * BURST_S)
        self._clock = clock
        #: By key: how many tokens it had, and when.
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count one call. Raises Problem (rate_limited), which says when the next one may come."""
        now = self._clock()
        tokens, at = self._buckets.get(name, (self._full, now))
        tokens = min(self._full, tokens + (now - at) * self._rate)
        if tokens < 1:
            self._buckets[name] = tokens, now
            seconds = max(1, math.ceil((1 - tokens) / self._rate))
            raise Problem(
                "rate_limited",
                f"This key may call {self._rate:g} times a second.",
                headers={"Retry-After": str(seconds)},
            )
        self._buckets[name] = tokens - 1, now
