"""Browser sessions: the cookie that names one, and the authenticator that the API asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.core import sessions
from bot.core.access import digest
from bot.core.errors import CrewdeckError, StoreUnavailable
from bot.core.ports import Memory
from bot.core.sessions import SESSION_TTL_S, Session, Vouch
from bot.surfaces.console.files import HOME, PATH_PREFIX
from bot.surfaces.trust import scheme_of

COOKIE_NAME = "crewdeck_session"


def token_in(cookies: Mapping[str, str]) -> str:
    """The session's token; "" if there is none."""
    token = cookies.get(COOKIE_NAME, "")
    return token if token.isascii() else ""


@dataclass(frozen=True)
class Cookies:
    """Gives the cookie and takes it back."""

    #: People come by https, though what comes to us may come from a proxy without it.
    secure: bool

    def give(self, request: web.Request, response: web.StreamResponse, token: str) -> None:
        """Scripts never see it, and a browser sends it from our own pages only."""
        response.set_cookie(
            COOKIE_NAME,
            token,
            max_age=round(SESSION_TTL_S),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self._is_secure(request),
        )

    def take(self, request: web.Request, response: web.StreamResponse) -> None:
        secure = self._is_secure(request)
        response.del_cookie(COOKIE_NAME, path="/", httponly=True, samesite="Strict", secure=secure)

    def _is_secure(self, request: web.Request) -> bool:
        # Whoever lies about how they came only makes their own cookie stricter.
        return self.secure or scheme_of(request) == "https"


class ConsoleAuthenticator:
    """`bot.core.sessions.Door`, with sessions that are kept in the store."""

    def __init__(self, memory: Memory, vouch: Vouch | None) -> None:
        """`vouch` knows people who came by a link; without it their sessions are over."""
        self._memory = memory
        self._vouch = vouch

    def public(self, path: str) -> bool:
        """The page and its files are the same for everybody; what they show comes from the API."""
        return path == HOME or path.startswith(PATH_PREFIX)

    async def session(self, cookies: Mapping[str, str]) -> Session | None:
        token = token_in(cookies)
        return await self._find(digest(token)) if token else None

    async def still(self, session: Session) -> bool:
        """While nobody can say how a person stands, nothing is shown to them either."""
        try:
            return await self._find(session.id) is not None
        except StoreUnavailable:
            return True
        except CrewdeckError:
            return False

    async def _find(self, session_id: str) -> Session | None:
        session = await sessions.find_session(self._memory, session_id)
        if session is None or await self._stands(session):
            return session
        await sessions.end_session(self._memory, session_id)
        return None

    async def _stands(self, session: Session) -> bool:
        """Whether who signed in by a link is still who they were. The API checks keys and the local user."""
        if session.key or session.local:
            return True
        return self._vouch is not None and await self._vouch(session.actor) is session.actor.membership
