"""Who acts, with what the directory knows of them: linked identities and live groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.core.actor import Actor
from bot.core.directory import Directory
from bot.core.locales import Locale
from bot.surfaces.chat.inbound.ports import ActorResolver


class KnownPeople:
    """A platform's people as the rest of the engine sees them. Implements the port `ActorResolver`."""

    def __init__(self, people: ActorResolver, directory: Directory) -> None:
        self._people = people
        self._directory = directory

    async def actor(self, user: str, installation: str = "") -> Actor:
        """Raises what the platform's people raise, and StoreUnavailable."""
        return await self._directory.known(await self._people.actor(user, installation))

    async def locale(self, user: str, /) -> Locale:
        """How this user writes numbers and dates."""
        return await self._people.locale(user)

    async def names(self, users: Iterable[str]) -> Mapping[str, str]:
        """What these users are called."""
        return await self._people.names(users)
