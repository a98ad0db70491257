"""Callers of the API, and what they may see: keys see all; people with a session see their own.

Who calls holds a key, or has a session, or is the local user while no keys exist.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from aiohttp import web

from bot.core.errors import NotFound, StoreUnavailable
from bot.core.events.event import Event
from bot.core.people import api_keys
from bot.core.people.actor import Actor, Membership
from bot.core.people.api_keys import KEYS_TOPIC, ApiKey, ApiKeys, Scope, matching
from bot.core.people.policy import can_decide
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.run import Run, can_view
from bot.core.sessions import SESSION, Session, account_of
from bot.core.token_bucket import TokenBucket
from bot.core.wakeups import Signal, Wakeups
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

    @property
    def rate_limit_key(self) -> str:
        """Whose limits count: the key's, in whatever sessions; without one the person's."""
        return self.key.name if self.key else self.actor.principal

    def allows(self, scope: Scope) -> bool:
        """Whether the caller has this scope."""
        return bool(self.scopes & {scope, Scope.ADMIN})

    def require(self, scope: Scope) -> None:
        """Raises Problem (missing_scope)."""
        if not self.allows(scope):
            raise Problem("missing_scope", f"This key lacks the scope {scope}.")

    def actor_on_behalf_of(self, on_behalf_of: str | None) -> Actor:
        """The actor, with the person for whom the caller says it acts."""
        named = on_behalf_of or ""
        if named == self.actor.on_behalf_of:
            return self.actor
        return self.actor.model_copy(update={"on_behalf_of": named})


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
    """The valid keys, from the settings and the store, as `refresh` has read them."""

    def __init__(self, api_keys: ApiKeys, wakeups: Wakeups, fixed: Sequence[ApiKey]) -> None:
        self._api_keys = api_keys
        self._fixed = tuple(fixed)
        self._stored: tuple[ApiKey, ...] = ()
        self._locked = bool(fixed)
        self._changed = Signal()
        self._read_at = float("-inf")
        wakeups.add(self._changed, KEYS_TOPIC)

    async def open(self) -> None:
        """Read the keys, and record that keys are in use. Raises StoreUnavailable."""
        if self._fixed:
            await self._api_keys.lock()
        await self.refresh()

    @property
    def locked(self) -> bool:
        """Whether a key has ever existed. Access without a key is refused then, even if all are revoked."""
        return self._locked

    def find(self, secret: str) -> ApiKey | None:
        """The valid key with this secret."""
        return matching(secret, self._all)

    def find_digest(self, digest: str) -> ApiKey | None:
        """The valid key with this digest."""
        return next((key for key in self._all if key.digest == digest and key.revoked_at is None), None)

    async def still_valid(self, caller: Caller) -> bool:
        """Whether the caller's credentials are still valid: keys may be revoked while streams are open.

        While the store is unavailable the cached keys decide; streams deliver nothing new then.
        """
        with suppress(StoreUnavailable):
            await self.refresh()
        if caller.key is None:
            return not self._locked
        return any(
            key.digest == caller.key.digest and key.scopes == caller.key.scopes and key.revoked_at is None
            for key in self._all
        )

    async def current_membership(self, actor: Actor) -> Membership | None:
        """`bot.core.ports.directory.MembershipLookup`: None once a key is revoked, or may no longer answer.

        A key that isn't known here may be in the settings of another process. Raises StoreUnavailable.
        """
        await self.refresh()
        name = account_of(actor).rpartition("::")[2]
        known = [key for key in self._all if key.user_id == name]
        valid = any(key.revoked_at is None and key.allows(Scope.ANSWER) for key in known)
        return actor.membership if valid or not known else None

    @property
    def usable(self) -> bool:
        """Whether any valid key is known."""
        return any(key.revoked_at is None for key in self._all)

    @property
    def _all(self) -> tuple[ApiKey, ...]:
        return (*self._fixed, *self._stored)

    async def refresh(self) -> None:
        """Read the keys if they have changed, or were read a while ago. Raises StoreUnavailable."""
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
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, name: str) -> None:
        """Take a token. Raises Problem (rate_limited) with the time until the next one."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(self._rate, max(1.0, self._rate * BURST_S))
        if seconds := bucket.take(self._clock()):
            raise Problem(
                "rate_limited",
                f"This key may call {self._rate:g} times a second.",
                headers={"Retry-After": str(math.ceil(seconds))},
            )


CanView = Callable[[Event], Awaitable[bool]]
"""Whether the caller may view what an event is about: its run, or its question."""


class Visibility:
    """Decides what a caller may view."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recognised(self, caller: Caller) -> Caller:
        """The caller with their linked identities and live groups. Raises StoreUnavailable."""
        if caller.known is not None:
            return caller
        return replace(caller, known=await self._store.directory.known(caller.actor))

    async def check(self, request: web.Request, caller: Caller) -> None:
        """Raises NotFound if the path names a run, or a question of one, that the caller may not view."""
        if not caller.is_person:
            return
        named = request.match_info
        run_id = named.get("run_id") or named.get("execution_id")
        if run_id and not await self._can_view(caller, run_id.lower()):
            raise NotFound("run", run_id.lower())
        question_id = named.get("question_id", "").lower()
        if question_id:
            run_id = await self._store.questions.run_of(question_id)
            if not await self._can_view_question(caller, run_id, question_id):
                raise NotFound("question", question_id)

    def of(self, caller: Caller) -> CanView | None:
        """A filter for streams of all runs; None if the caller sees all runs."""
        return (lambda event: self._can_view_event(caller, event)) if caller.is_person else None

    def of_all(self, caller: Caller) -> bool:
        """Whether the caller may view all runs: keys with `read` may, people only their own."""
        return not caller.is_person and caller.allows(Scope.READ)

    def of_run(self, caller: Caller, run: Run) -> bool:
        """Whether the caller may view the run."""
        return self.of_all(caller) or can_view(caller.viewer, run)

    def of_question(self, caller: Caller, run: Run, question: Question) -> bool:
        """Whether the caller may view the question: everybody who may view its run or answer it."""
        return self.of_run(caller, run) or can_decide(caller.viewer, question.policy)

    async def _can_view_event(self, caller: Caller, event: Event) -> bool:
        question_id = getattr(event.body, "question_id", None)
        if question_id is None:
            return await self._can_view(caller, event.run_id)
        return await self._can_view_question(caller, event.run_id, question_id)

    async def _can_view_question(self, caller: Caller, run_id: str, question_id: str) -> bool:
        """Whether the caller may view the run, or answer this question of it."""
        if await self._can_view(caller, run_id):
            return True
        try:
            question = await self._store.questions.get(run_id, question_id)
        except NotFound:
            return False
        return can_decide(caller.viewer, question.policy)

    async def _can_view(self, caller: Caller, run_id: str) -> bool:
        try:
            return self.of_run(caller, await self._store.runs.get(run_id))
        except NotFound:
            return False
