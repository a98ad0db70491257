"""People in a browser: sessions, and links that open one. Of their tokens only digests are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from bot.core.access import ApiKey, Scope, digest
from bot.core.actor import Actor, Membership
from bot.core.ports import Memory
from bot.core.value import Strict

SESSION_TTL_S = 12 * 3600.0
"""Seconds that a session lasts."""
LINK_TTL_S = 300.0
"""Seconds in which a link must be used."""
SURFACE = "console"
LINK_PATH = "/console/link/"
"""Where a link leads, below the console's address; its token follows."""
SESSIONS_SHELF = "sessions"

Vouch = Callable[[Actor], Awaitable[Membership | None]]
"""How somebody stands now in the workspace that they come from; None: they may not act any more.

Raises CrewdeckError while that can't be found out.
"""


class Session(Strict):
    """Somebody who has signed in."""

    #: The digest of its token.
    id: str
    actor: Actor
    scopes: tuple[Scope, ...]
    #: The digest of the API key that opened it, and without which it ends; "": a link opened it.
    key: str = ""
    #: The local user's token opened it: it ends as soon as there are API keys.
    local: bool = False
    #: Seconds since the epoch.
    opened_at: float = 0.0

    @property
    def ends_at(self) -> float:
        return self.opened_at + SESSION_TTL_S


class SessionAuthenticator(Protocol):
    """Authenticates browsers by a session, beside API keys. The console implements it."""

    def public(self, path: str) -> bool:
        """Whether everybody may ask for this: it is needed to sign in, and tells nothing."""

    async def session(self, cookies: Mapping[str, str]) -> Session | None:
        """The session that these cookies stand for. Raises StoreUnavailable, and as `Vouch` does."""

    async def still(self, session: Session) -> bool:
        """Whether it has not ended. While the store is away it has not."""


async def open_session(
    memory: Memory, actor: Actor, scopes: tuple[Scope, ...], key: str = "", *, local: bool = False
) -> str:
    """Sign somebody in; the token by which their browser is known. Raises StoreUnavailable."""
    token = secrets.token_urlsafe(32)
    session = Session(
        id=digest(token), actor=actor, scopes=scopes, key=key, local=local, opened_at=time.time()
    )
    await open_sessions(memory)  # forgets those that are over
    await memory.save_pending(SESSIONS_SHELF, session.id, session.model_dump_json())
    await memory.remember(_session(session.id), session.model_dump_json(), SESSION_TTL_S)
    return token


async def find_session(memory: Memory, session_id: str) -> Session | None:
    """A session that has not ended, by the digest of its token; none that this release can't read.

    Raises StoreUnavailable.
    """
    return _read(await memory.recall(_session(session_id)))


async def open_sessions(memory: Memory) -> list[Session]:
    """All sessions that have not ended, the newest first. Raises StoreUnavailable."""
    found: list[Session] = []
    for session_id in await memory.pending(SESSIONS_SHELF):
        kept = await memory.recall(_session(session_id))
        if kept is None:
            await memory.remove_pending(SESSIONS_SHELF, session_id)
        elif (session := _read(kept)) is not None:
            found.append(session)
    return sorted(found, key=lambda each: each.opened_at, reverse=True)


def _read(kept: str | None) -> Session | None:
    """A session as it is kept; None: there is none, or another release or a fault wrote something else."""
    try:
        return Session.model_validate_json(kept) if kept else None
    except ValueError:
        return None


async def end_session(memory: Memory, session_id: str) -> None:
    """Sign somebody out, by the digest of their token. Raises StoreUnavailable."""
    await memory.forget(_session(session_id))
    await memory.remove_pending(SESSIONS_SHELF, session_id)


class Link(NamedTuple):
    """A way to sign in once."""

    token: str
    #: Seconds for which it can still be used.
    seconds: float


async def offer_link(memory: Memory, person: Actor, secret: str) -> Link:
    """A token that signs this person in, as themselves, once and soon; the same one until it was used.

    `secret` is what the store does not know: the token is made of it, so that nobody who reads the store can
    use the link. Raises StoreUnavailable.
    """
    fresh = f"{secrets.token_hex(16)} {time.time() + LINK_TTL_S:.0f}"
    kept = await memory.put_if_absent(_offered(person.principal), fresh, LINK_TTL_S)
    until = float(kept.partition(" ")[2])
    token = hmac.new(secret.encode(), f"{person.principal} {kept}".encode(), hashlib.sha256).hexdigest()
    seconds = max(1.0, until - time.time())
    await memory.remember(_link(token), person.model_dump_json(), seconds)
    return Link(token, seconds)


async def link_works(memory: Memory, token: str) -> bool:
    """Whether a link could still be used. Raises StoreUnavailable."""
    return await memory.recall(_link(token)) is not None


async def use_link(memory: Memory, token: str) -> Actor | None:
    """Whom the link signs in; None if it is too old or was used. Raises StoreUnavailable."""
    kept = await memory.recall(_link(token))
    if kept is None or not await memory.once(f"{_link(token)}:used", 2 * LINK_TTL_S):
        return None
    person = Actor.model_validate_json(kept)
    await memory.forget(_link(token))
    await memory.forget(_offered(person.principal))
    return person


def key_at_console(key: ApiKey) -> Actor:
    """Who acts when somebody has signed in with this key."""
    actor = key.actor()
    return actor.model_copy(update={"surface": SURFACE, "identities": actor.principals})


def person_at_console(person: Actor) -> Actor:
    """The same person, acting in the console; what they may do elsewhere they may do here."""
    return person.model_copy(update={"surface": SURFACE, "identities": person.principals})


def _session(session_id: str) -> str:
    return f"session:{session_id}"


def _link(token: str) -> str:
    return f"link:{digest(token)}"


def _offered(principal: str) -> str:
    return f"link:of:{principal}"
