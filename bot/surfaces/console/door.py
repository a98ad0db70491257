"""The door: what the API asks to learn who has signed in."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core import sessions
from bot.core.access import digest
from bot.core.errors import StoreUnavailable
from bot.core.ports import Memory
from bot.core.sessions import Session
from bot.surfaces.console.cookies import token_in
from bot.surfaces.console.files import HOME, PREFIX


class SessionDoor:
    """`bot.core.sessions.Door`, with sessions that are kept in the store."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def public(self, path: str) -> bool:
        """The page and its files are the same for everybody; what they show comes from the API."""
        return path == HOME or path.startswith(PREFIX)

    async def session(self, cookies: Mapping[str, str]) -> Session | None:
        token = token_in(cookies)
        return await sessions.find_session(self._memory, digest(token)) if token else None

    async def still(self, session: Session) -> bool:
        try:
            return await sessions.find_session(self._memory, session.id) is not None
        except StoreUnavailable:
            return True
