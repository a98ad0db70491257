"""What stands before several web processes: each connection goes to one that takes it. No sticky sessions."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self

_CHUNK = 1 << 16


class Balancer:
    """Listens on a port of its own."""

    def __init__(self, ports: Callable[[], Sequence[int]]) -> None:
        self.url = ""
        self._ports = ports
        self._turn = itertools.count()
        self._calls: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, ports: Callable[[], Sequence[int]]) -> AsyncIterator[Self]:
        balancer = cls(ports)
        server = await asyncio.start_server(balancer._serve, "127.0.0.1", 0)
        balancer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield balancer
        finally:
            server.close()
            for call in tuple(balancer._calls):
                call.cancel()
            await asyncio.gather(*balancer._calls, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current = asyncio.current_task()
        assert current is not None
        self._calls.add(current)
        try:
            # Cancelled at the end alone; asyncio 3.11 would complain of a connection that ends so.
            with suppress(asyncio.CancelledError):
                backend = await self._backend()
                if backend is not None:
                    await _joined((reader, writer), backend)
        finally:
            writer.close()
            self._calls.discard(current)

    async def _backend(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The next one that takes a connection; None if none does."""
        ports = self._ports()
        first = next(self._turn)
        for number in range(len(ports)):
            port = ports[(first + number) % len(ports)]
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
        return None


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _joined(one: Ends, other: Ends) -> None:
    """Both ends talk to each other until one hangs up."""
    pumps = [asyncio.create_task(_pump(one[0], other[1])), asyncio.create_task(_pump(other[0], one[1]))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        other[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
