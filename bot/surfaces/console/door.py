"""The door: what the API asks to learn who has signed in."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core import sessions
from bot.core.access import digest
from bot.core.errors import CrewdeckError, StoreUnavailable
from bot.core.ports import Memory
from bot.core.sessions import Session, Vouch
from bot.surfaces.console.cookies import token_in
from bot.surfaces.console.files import HOME, PREFIX


class SessionDoor:
    """`bot.core.sessions.Door`, with sessions that are kept in the store."""

    def __init__(self, memory: Memory, vouch: Vouch | None) -> None:
        """`vouch` knows people who came by a link; without it their sessions are over."""
        self._memory = memory
        self._vouch = vouch

    def public(self, path: str) -> bool:
        """The page and its files are the same for everybody; what they show comes from the API."""
        return path == HOME or path.startswith(PREFIX)

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
