"""Browser sessions, and links that sign people in. Only digests of their tokens are stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from bot.core.people.actor import Actor
from bot.core.people.api_keys import ApiKey, Scope, digest
from bot.core.ports.store import Clock, KeyValueStore
from bot.core.value import Strict

SESSION_TTL_S = 12 * 3600.0
"""The lifetime of a session."""
LINK_TTL_S = 300.0
"""The lifetime of a sign-in link."""
SURFACE = "console"
SESSION = "session"
"""`Actor.authentication` of people who have signed in."""
LINK_PATH = "/console/link/"
"""The path of sign-in links below the console's address; the token follows."""
SESSIONS_KIND = "sessions"


class Session(Strict):
    """The session of a person who has signed in."""

    #: The digest of the session's token.
    id: str
    actor: Actor
    scopes: tuple[Scope, ...]
    #: The digest of the API key that opened the session, which ends with that key; "" if a link opened it.
    key: str = ""
    #: Opened with the local user's token; ends as soon as API keys exist.
    local: bool = False
    #: Seconds since the epoch.
    opened_at: float = 0.0

    @property
    def ends_at(self) -> float:
        return self.opened_at + SESSION_TTL_S


class SessionAuthenticator(Protocol):
    """Authenticates browsers by a session, beside API keys. The console implements it."""

    def public(self, path: str) -> bool:
        """Whether this path is accessible without authentication, because signing in needs it."""

    async def session(self, cookies: Mapping[str, str]) -> Session | None:
        """The session of these cookies. Raises StoreUnavailable, and what `MembershipLookup` raises."""

    async def still_valid(self, session: Session) -> bool:
        """Whether the session is still valid. While the store is unavailable, it is."""


async def open_session(
    key_values: KeyValueStore, actor: Actor, scopes: tuple[Scope, ...], key: str = "", *, local: bool = False
) -> str:
    """Open a session; returns its token. Raises StoreUnavailable."""
    token = secrets.token_urlsafe(32)
    session = Session(
        id=digest(token), actor=actor, scopes=scopes, key=key, local=local, opened_at=time.time()
    )
    await open_sessions(key_values)  # removes expired sessions
    await key_values.save_pending(SESSIONS_KIND, session.id, session.model_dump_json())
    await key_values.set(_session(session.id), session.model_dump_json(), SESSION_TTL_S)
    return token


async def find_session(key_values: KeyValueStore, session_id: str) -> Session | None:
    """The open session with this token digest; None if there is none, or if it can't be read.

    Raises StoreUnavailable.
    """
    return _read(await key_values.get(_session(session_id)))


async def open_sessions(key_values: KeyValueStore) -> list[Session]:
    """All open sessions, newest first. Raises StoreUnavailable."""
    found: list[Session] = []
    for session_id in await key_values.pending(SESSIONS_KIND):
        kept = await key_values.get(_session(session_id))
        if kept is None:
            await key_values.remove_pending(SESSIONS_KIND, session_id)
        elif (session := _read(kept)) is not None:
            found.append(session)
    return sorted(found, key=lambda each: each.opened_at, reverse=True)


def _read(kept: str | None) -> Session | None:
    """Parse a stored session; None if it is absent, damaged or of another release."""
    try:
        return Session.model_validate_json(kept) if kept else None
    except ValueError:
        return None


async def end_session(key_values: KeyValueStore, session_id: str) -> None:
    """End the session with this token digest. Raises StoreUnavailable."""
    await key_values.delete(_session(session_id))
    await key_values.remove_pending(SESSIONS_KIND, session_id)


class Link(NamedTuple):
    """A single-use sign-in link."""

    token: str
    #: Seconds until the link expires.
    seconds: float


async def offer_link(key_values: KeyValueStore, clock: Clock, person: Actor, secret: str) -> Link:
    """Create a token that signs this person in once; until it is used, the same token is returned.

    The token is derived from `secret`, which is not in the store, so that read access to the store is not
    enough to use the link. Raises StoreUnavailable.
    """
    now = await clock.now() / 1000
    fresh = f"{secrets.token_hex(16)} {now + LINK_TTL_S:.0f}"
    kept = await key_values.set_if_absent(_offered(person.principal), fresh, LINK_TTL_S)
    until = float(kept.partition(" ")[2])
    token = hmac.new(secret.encode(), f"{person.principal} {kept}".encode(), hashlib.sha256).hexdigest()
    # The bounds hold also where the store's clock was set meanwhile.
    seconds = min(max(1.0, until - now), LINK_TTL_S)
    await key_values.set(_link(token), person.model_dump_json(), seconds)
    return Link(token, seconds)


async def link_works(key_values: KeyValueStore, token: str) -> bool:
    """Whether a link is still valid. Raises StoreUnavailable."""
    return await key_values.get(_link(token)) is not None


async def use_link(key_values: KeyValueStore, token: str) -> Actor | None:
    """Use a link; returns the person, or None if it has expired or was used. Raises StoreUnavailable."""
    kept = await key_values.get(_link(token))
    if kept is None or not await key_values.add(f"{_link(token)}:used", 2 * LINK_TTL_S):
        return None
    person = Actor.model_validate_json(kept)
    await key_values.delete(_link(token))
    await key_values.delete(_offered(person.principal))
    return person


def key_at_console(key: ApiKey) -> Actor:
    """The actor of a session that was opened with this key."""
    actor = key.actor()
    return actor.model_copy(
        update={"surface": SURFACE, "identities": actor.authenticated, "authentication": SESSION}
    )


def person_at_console(person: Actor) -> Actor:
    """This person as an actor of the console, with unchanged permissions."""
    return person.verified.model_copy(
        update={"surface": SURFACE, "identities": person.authenticated, "authentication": SESSION}
    )


def account_of(actor: Actor) -> str:
    """The principal of the account that acts: of a person at the console, what they signed in with."""
    return actor.identities[0] if actor.surface == SURFACE and actor.identities else actor.principal


def _session(session_id: str) -> str:
    return f"session:{session_id}"


def _link(token: str) -> str:
    return f"link:{digest(token)}"


def _offered(principal: str) -> str:
    return f"link:of:{principal}"
