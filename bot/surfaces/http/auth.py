"""Callers of the API: holders of keys, people with a session, and the local user while no keys exist."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from bot.core import api_keys
from bot.core.actor import Actor
from bot.core.api_keys import KEYS_TOPIC, ApiKey, ApiKeys, Scope, matching
from bot.core.errors import StoreUnavailable
from bot.core.feed import Feed, Signal
from bot.core.sessions import SESSION, Session
from bot.surfaces.http.problems import Problem

KEYS_MAX_AGE_S = 5.0
"""Seconds after which the stored keys are read again, even without a notification of a change."""


@dataclass(frozen=True)
class Caller:
    """The caller of a request, and what they may do."""

    actor: Actor
    scopes: frozenset[Scope]
    #: The caller's API key; None for the local user and for people.
    key: ApiKey | None = None
    #: The caller's session, if they signed in.
    session: Session | None = None
    #: The actor with all linked identities and groups, for what is shown to them (`Visibility.recognised`).
    known: Actor | None = None

    @property
    def viewer(self) -> Actor:
        """The caller with all that is known about them."""
        return self.known or self.actor

    @property
    def local(self) -> bool:
        """Whether this is the local user, who needs no key."""
        return self.key is None and (self.session is None or self.session.local)

    @property
    def is_person(self) -> bool:
        """Whether this is a person acting as themselves, who sees only runs that concern them."""
        return self.key is None and not self.local

    def allows(self, scope: Scope) -> bool:
        """Whether the caller has this scope."""
        return bool(self.scopes & {scope, Scope.ADMIN})

    def require(self, scope: Scope) -> None:
        """Raises Problem (missing_scope)."""
        if not self.allows(scope):
            raise Problem("missing_scope", f"This key lacks the scope {scope}.")

    def acting(self, on_behalf_of: str | None) -> Actor:
        """The actor, with the person for whom the caller says it acts."""
        return self.actor.model_copy(update={"on_behalf_of": on_behalf_of or ""})


LOCAL = Caller(api_keys.LOCAL, frozenset(Scope))
"""The local user."""
NOBODY = Caller(Actor(surface="http", user_id="nobody"), frozenset())
"""The caller of public operations."""
CALLER = web.RequestKey("caller", Caller)
"""The request's entry that holds its caller."""


def caller_of(key: ApiKey) -> Caller:
    """The caller with this key."""
    return Caller(key.actor(), frozenset(key.scopes), key)


def signed_in(session: Session, key: ApiKey | None) -> Caller:
    """The caller with this session: the holder of `key`, or with None the person themselves."""
    if session.local:
        actor = LOCAL.actor.model_copy(update={"authentication": SESSION})
        return Caller(actor, LOCAL.scopes, session=session)
    scopes = key.scopes if key else session.scopes
    admin = key is not None and Scope.ADMIN in key.scopes
    actor = session.actor.model_copy(update={"admin": admin, "authentication": SESSION})
    return Caller(actor, frozenset(scopes), key, session)


class KeyCache:
    """The valid keys, from the settings and the store."""

    def __init__(self, api_keys: ApiKeys, feed: Feed, fixed: Sequence[ApiKey]) -> None:
        self._api_keys = api_keys
        self._fixed = tuple(fixed)
        self._stored: tuple[ApiKey, ...] = ()
        self._locked = bool(fixed)
        self._changed = Signal()
        self._read_at = float("-inf")
        feed.add(self._changed, KEYS_TOPIC)

    async def open(self) -> None:
        """Read the keys, and record that keys are in use. Raises StoreUnavailable."""
        if self._fixed:
            await self._api_keys.lock()
        await self._refresh()

    async def locked(self) -> bool:
        """Whether a key has ever existed. Access without a key is refused then, even if all are revoked."""
        await self._refresh()
        return self._locked

    async def find(self, secret: str) -> ApiKey | None:
        """The valid key with this secret."""
        await self._refresh()
        return matching(secret, self._all)

    async def find_digest(self, digest: str) -> ApiKey | None:
        """The valid key with this digest."""
        await self._refresh()
        return next((key for key in self._all if key.digest == digest and key.revoked_at is None), None)

    async def still_valid(self, caller: Caller) -> bool:
        """Whether the caller's credentials are still valid: keys may be revoked while streams are open.

        While the store is unavailable the cached keys decide; streams deliver nothing new then.
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
        """Whether any valid key is known."""
        return any(key.revoked_at is None for key in self._all)

    @property
    def _all(self) -> tuple[ApiKey, ...]:
        return (*self._fixed, *self._stored)

    async def _refresh(self) -> None:
        if not self._changed.woken and time.monotonic() - self._read_at < KEYS_MAX_AGE_S:
            return
        self._changed.clear()
        # Set before reading, so that concurrent callers use the cache instead of reading as well.
        self._read_at = time.monotonic()
        try:
            stored = tuple(await self._api_keys.list())
            self._locked = self._locked or bool(stored) or await self._api_keys.locked()
        except BaseException:
            self._read_at = float("-inf")  # the next call retries
            raise
        self._stored = stored


def secret_of(request: web.Request) -> str:
    """The secret of a request: its bearer token, or for a WebSocket the query parameter."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.query.get("token", "") if request.path.startswith("/ws/") else ""


BURST_S = 2.0
"""The size of a bucket, in seconds at the full rate."""


class KeyRateLimiter:
    """Token buckets, one per key, that fill at `rate` tokens per second."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._full = max(1.0, rate * BURST_S)
        self._clock = clock
        #: By key: the number of tokens, and the time of that number.
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Take a token. Raises Problem (rate_limited) with the time until the next one."""
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
