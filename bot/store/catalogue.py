"""The crews that workers announced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bot.core.crew import Crew
from bot.store import redis_keys
from bot.store.codec import dump, ms, new_call
from bot.store.connection import Connection

SOURCE_TIMEOUT_S = 5 * 60
"""After this time without an announcement a source is removed, if others announce all of its crews. Workers
announce every minute."""
CREW_TTL_S = 7 * 24 * 3600
"""How long a crew stays known that nobody announces: its runs wait for its workers to come back."""


class _Version(NamedTuple):
    """The catalogue as it was at a version."""

    version: str | None
    crews: dict[str, Crew]


class RedisCatalogue:
    """The port `bot.core.ports.Catalogue`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._catalogue = _Version(None, {})

    async def announce(self, source: str, crews: Sequence[Crew], *, complete: bool = True) -> None:
        cards = [word for crew in crews for word in (crew.name, dump(crew))]
        await self._connection.run_unsharded(
            "announce",
            redis_keys.CREWS,
            source,
            new_call(),
            "1" if complete else "",
            ms(SOURCE_TIMEOUT_S),
            ms(CREW_TTL_S),
            *cards,
        )

    async def crews(self) -> dict[str, Crew]:
        # It is read often and changes seldom, so it is cached by version.
        version = await self._connection.do(self._connection.redis.hget(redis_keys.CREWS, "version"))
        if version != self._catalogue.version:
            stored = await self._connection.do(self._connection.redis.hgetall(redis_keys.CREWS))
            self._catalogue = _Version(stored.get("version"), self._known_crews(stored))
        return dict(self._catalogue.crews)

    def _known_crews(self, stored: dict[str, str]) -> dict[str, Crew]:
        """The crews by name. If several sources announce a crew, the latest announcement counts."""
        readable = self._connection.unreadable.readable
        sources = [
            (field.removeprefix("source "), value)
            for field, value in stored.items()
            if field.startswith("source ")
        ]
        since = dict(readable("announcement", sources, lambda value: int(value.split(" ")[1])))
        cards = [
            (since.get(source, 0), source, name, value)
            for field, value in stored.items()
            if field.startswith("crew ")
            for source, _, name in (field.removeprefix("crew ").partition(" "),)
        ]
        named = ((f"{name} of {source}", value) for _, source, name, value in sorted(cards))
        crews = {crew.name: crew for _, crew in readable("crew", named, Crew.model_validate_json)}
        return dict(sorted(crews.items()))
