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
        sources = sorted((json.loads(each) for each in stored.values()), key=lambda each: int(each["at"]))
        found = [crew for each in sources if each["at"] >= oldest for crew in each["crews"]]
        crews = {crew["name"]: Crew.model_validate(crew) for crew in found}
        return dict(sorted(crews.items()))
