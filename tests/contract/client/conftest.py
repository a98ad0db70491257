"""The client against the API in this process, on a real store, with a hand-played crew."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from crewdeck.client import Client
from tests.contract.http.fixtures import served, store_url
from tests.contract.http.served import Served

__all__ = ["served", "store_url"]


@pytest.fixture
async def client(served: Served) -> AsyncIterator[Client]:
    async with Client(served.url) as opened:
        yield opened


class HttpProxy:
    """A proxy of a server that can be cut: after so many bytes of each connection's answer, or altogether."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.connections = 0
        #: Bytes after which the next connections are cut, one after the other.
        self.cuts: list[int] = []
        #: What the next connections wait for before anything is carried, one after the other.
        self.waits: list[asyncio.Event] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["HttpProxy"]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._server = server
        yield self
        self.close()
        await server.wait_closed()

    def close(self) -> None:
        """Cut it for good."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        left = self.cuts.pop(0) if self.cuts else None
        if self.waits:
            await self.waits.pop(0).wait()
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, back}
        with contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass(reader, back, None))
                group.create_task(_pass(there, writer, left))
        self._open -= {writer, back}


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
    try:
        while chunk := await reader.read(4096 if left is None else min(left, 4096)):
            writer.write(chunk)
            await writer.drain()
            left = None if left is None else left - len(chunk)
            if left == 0:
                break
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def proxy(served: Served) -> AsyncIterator[HttpProxy]:
    async with HttpProxy(served.port).listening() as listening:
        yield listening
