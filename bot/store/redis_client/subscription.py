"""A connection that listens to a channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Self

from redis.exceptions import ConnectionError as Disconnected

from bot.store.redis_client.interruptible import Interruptible
from bot.store.redis_client.shared_connection import CLOSED, Reply, SharedConnection, packed

PING_INTERVAL_S = 5.0
"""How often the connection is tried, since a silent one may be half open."""


class Subscription(SharedConnection):
    """The messages of one channel."""

    def __init__(self, connection: Interruptible) -> None:
        super().__init__(connection)
        #: None: there will be no further one.
        self._messages: asyncio.Queue[str | None] = asyncio.Queue()

    @classmethod
    async def open(cls, channel: str, connection: Interruptible) -> Self:
        """Subscribe on this connection; the server has confirmed it when this returns."""
        subscription = cls(connection)
        try:
            [reply] = await subscription.send(packed([("SUBSCRIBE", channel)]), 1)
        except BaseException:
            subscription.close()
            raise
        if isinstance(reply, Exception):
            subscription.close()
            raise reply
        subscription._ping()
        return subscription

    async def messages(self) -> AsyncIterator[str]:
        """Each message as it comes. Raises redis-py's ConnectionError at the end of the connection."""
        while (message := await self._messages.get()) is not None:
            yield message
        raise Disconnected(CLOSED)

    def close(self, why: Callable[[], Exception] = lambda: Disconnected(CLOSED)) -> None:
        super().close(why)
        self._messages.put_nowait(None)

    def _ping(self) -> None:
        """A ping that isn't answered in time closes the connection."""
        if not self.closed:
            self.send(packed([("PING",)]), 1).add_done_callback(_noticed)
            self._loop.call_later(PING_INTERVAL_S, self._ping)

    def _pushed(self, message: Reply) -> None:
        if message[0] in {"subscribe", "message"}:
            self._answer(message)

    def _answer(self, reply: Reply) -> None:
        match reply:
            case ["message", _, str(message)]:
                self._messages.put_nowait(message)
            case _:
                super()._answer(reply)


def _noticed(answered: asyncio.Future[list[Reply]]) -> None:
    """Retrieve the error of a ping: listeners are told of the end of the connection by the messages' end."""
    if not answered.cancelled():
        answered.exception()
