"""The crews that workers announced."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.core.model import Crew
from bot.store import keys
from bot.store.codec import ms
from bot.store.connection import Connection

ANNOUNCED = 7 * 24 * 3600
"""Seconds after which crews are forgotten that nobody has announced again."""


class CatalogueVerbs:
    """The port `bot.core.ports.Catalogue`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def announce(self, source: str, crews: Sequence[Crew]) -> None:
        document = {
            "at": await self._connection.now(),
            "crews": [crew.model_dump(mode="json") for crew in crews],
        }
        await self._connection.do(self._connection.redis.hset(keys.CREWS, source, json.dumps(document)))

    async def crews(self) -> dict[str, Crew]:
        async with self._connection.pipeline() as batch:
            batch.hgetall(keys.CREWS)
            batch.time()
        stored, (seconds, _) = batch.results
        oldest = int(seconds) * 1000 - ms(ANNOUNCED)
        # Of a crew that several sources announce, the newest announcement counts.
        readable = self._connection.unreadable.readable
        sources = sorted(
            (
                (source, *announced)
                for source, announced in readable("announcement", stored.items(), _announced)
            ),
            key=lambda each: each[1],
        )
        crews: dict[str, Crew] = {}
        for source, at, documents in sources:
            if at >= oldest:
                named = ((f"{name} of {source}", text) for name, text in documents.items())
                crews |= {crew.name: crew for _, crew in readable("crew", named, Crew.model_validate_json)}
        return dict(sorted(crews.items()))


def _announced(stored: str) -> tuple[int, dict[str, str]]:
    """When it was announced, and the crews, each as JSON, by name."""
    document = json.loads(stored)
    return int(document["at"]), {str(crew["name"]): json.dumps(crew) for crew in document["crews"]}
