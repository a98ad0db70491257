"""The connections of a server in this process, each of which hands on what two ends say to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connections:
    """Those that are open; `talk` is what is done with each."""

    def __init__(self, talk: Callable[[Ends], Awaitable[None]]) -> None:
        self._talk = talk
        self._open: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """For `asyncio.start_server`."""
        current = asyncio.current_task()
        assert current is not None
        self._open.add(current)
        try:
            # Cancelled by `close` alone; asyncio 3.11 would complain of a connection that ends so.
            with suppress(OSError, asyncio.CancelledError):
                await self._talk((reader, writer))
        finally:
            writer.close()
            self._open.discard(current)

    async def close(self) -> None:
        for connection in tuple(self._open):
            connection.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


async def until_one_ends(*pumps: Coroutine[Any, Any, None]) -> None:
    """Hand on in both directions until an end hangs up."""
    tasks = [asyncio.create_task(pump) for pump in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
