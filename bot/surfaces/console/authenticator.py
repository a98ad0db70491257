"""Browser sessions: their cookie, and the authenticator that the API uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.core import sessions
from bot.core.errors import CrewdeckError, StoreUnavailable
from bot.core.people.api_keys import digest
from bot.core.ports.directory import MembershipLookup
from bot.core.ports.store import KeyValueStore
from bot.core.sessions import SESSION_TTL_S, Session
from bot.surfaces.console.files import HOME, PATH_PREFIX
from bot.surfaces.trust import scheme_of

COOKIE_NAME = "crewdeck_session"


def token_in(cookies: Mapping[str, str]) -> str:
    """The session's token; "" without a cookie."""
    token = cookies.get(COOKIE_NAME, "")
    return token if token.isascii() else ""


@dataclass(frozen=True)
class Cookies:
    """Sets and deletes the session cookie."""

    #: Browsers use https, even if a proxy forwards their requests by http.
    secure: bool

    def set(self, request: web.Request, response: web.StreamResponse, token: str) -> None:
        """Set the cookie: inaccessible to scripts, and sent with requests from our own pages only."""
        response.set_cookie(
            COOKIE_NAME,
            token,
            max_age=round(SESSION_TTL_S),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self._is_secure(request),
        )

    def clear(self, request: web.Request, response: web.StreamResponse) -> None:
        secure = self._is_secure(request)
        response.del_cookie(COOKIE_NAME, path="/", httponly=True, samesite="Strict", secure=secure)

    def _is_secure(self, request: web.Request) -> bool:
        # A forged header only makes the sender's own cookie stricter.
        return self.secure or scheme_of(request) == "https"


class ConsoleAuthenticator:
    """Implements `bot.core.sessions.SessionAuthenticator` with sessions in the store."""

    def __init__(self, key_values: KeyValueStore, current_membership: MembershipLookup | None) -> None:
        """`current_membership`: of people who signed in by a link; without it their sessions are invalid."""
        self._key_values = key_values
        self._membership_of = current_membership

    def public(self, path: str) -> bool:
        """The page and its files are public; their data comes from the API."""
        return path == HOME or path.startswith(PATH_PREFIX)

    async def session(self, cookies: Mapping[str, str]) -> Session | None:
        token = token_in(cookies)
        return await self._find(digest(token)) if token else None

    async def still_valid(self, session: Session) -> bool:
        """Whether the session is valid; False while the person's membership can't be determined."""
        try:
            return await self._find(session.id) is not None
        except StoreUnavailable:
            return True
        except CrewdeckError:
            return False

    async def _find(self, session_id: str) -> Session | None:
        session = await sessions.find_session(self._key_values, session_id)
        if session is None or await self._stands(session):
            return session
        await sessions.end_session(self._key_values, session_id)
        return None

    async def _stands(self, session: Session) -> bool:
        """Whether a person with a session by link is still a member. The API checks all other sessions."""
        if session.key or session.local:
            return True
        return (
            self._membership_of is not None
            and await self._membership_of(session.actor) is session.actor.membership
        )
