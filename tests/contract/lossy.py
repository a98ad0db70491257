"""A line to Redis that loses answers: the server does what it is told, and the caller never hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class LossyLine:
    """Forwards between `socket` and the server. After `lose` it hangs up instead of passing answers on."""

    def __init__(self, socket: Path, upstream: str) -> None:
        self.url = f"unix://{socket}"
        self._upstream = upstream
        self._losses = 0
        self._command = b""

    def lose(self, answers: int, command: bytes = b"EVALSHA") -> None:
        self._losses, self._command = answers, command

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        with suppress(ConnectionError):
            while request := await reader.read(1 << 16):
                up_writer.write(request)
                answer = await up_reader.read(1 << 16)
                if self._losses and self._command in request:
                    self._losses -= 1
                    break
                writer.write(answer)
        for each in (writer, up_writer):
            each.close()
            with suppress(ConnectionError):
                await each.wait_closed()


@asynccontextmanager
async def lossy_line(socket: Path, upstream: str) -> AsyncIterator[LossyLine]:
    line = LossyLine(socket, upstream)
    server = await asyncio.start_unix_server(line.serve, socket)
    try:
        yield line
    finally:
        server.close()
