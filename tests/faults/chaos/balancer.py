"""What stands before several web processes: each connection goes to one that takes it. No sticky sessions."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Self

from tests.faults.chaos.connections import Connections, Ends, until_one_ends

_CHUNK = 1 << 16


class Balancer:
    """Listens on a port of its own."""

    def __init__(self, ports: Callable[[], Sequence[int]]) -> None:
        self.url = ""
        self._ports = ports
        self._turn = itertools.count()
        self._connections = Connections(self._talk)

    @classmethod
    @asynccontextmanager
    async def open(cls, ports: Callable[[], Sequence[int]]) -> AsyncIterator[Self]:
        balancer = cls(ports)
        server = await asyncio.start_server(balancer._connections.accept, "127.0.0.1", 0)
        balancer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield balancer
        finally:
            server.close()
            await balancer._connections.close()

    async def _talk(self, client: Ends) -> None:
        backend = await self._backend()
        if backend is None:
            return
        try:
            await until_one_ends(_pump(client[0], backend[1]), _pump(backend[0], client[1]))
        finally:
            backend[1].close()

    async def _backend(self) -> Ends | None:
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


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
