"""Events, and the wake-up connection that says where new ones are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from bot.core.events import Event, parse_body
from bot.store import keys
from bot.store.connection import Connection
from redis.exceptions import RedisError

RECONNECT = 0.2
"""Seconds between two tries to get the wake-up connection back."""


class EventVerbs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def events(self, run_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        stored = await self._connection.do(
            self._connection.redis.xrange(keys.events(run_id), min=f"{after + 1}-0", count=limit)
        )
        return [
            Event(
                run_id=run_id,
                seq=int(position.partition("-")[0]),
                at=int(fields["at"]),
                body=parse_body(fields["body"]),
            )
            for position, fields in stored
        ]

    async def wakeups(self) -> AsyncIterator[tuple[str, ...]]:
        while True:
            try:
                async for topics in self._listen():
                    yield topics
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(RECONNECT)

    async def _listen(self) -> AsyncIterator[tuple[str, ...]]:
        async with self._connection.redis.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.subscribe(keys.WAKE)
            yield ()
            while True:
                message = await listener.get_message(timeout=5.0)
                if message is not None:
                    yield tuple(message["data"].split())


