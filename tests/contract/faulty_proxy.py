"""A proxy of Redis that injects faults: it loses answers, swallows commands, is slow, or answers itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Held:
    """An answer that is on its way until it is released."""

    def __init__(self, command: bytes) -> None:
        self.command = command
        #: The server has done what it was told.
        self.reached = asyncio.Event()
        self.released = asyncio.Event()


class FaultyProxy:
    """Forwards between `socket` and the server, as long as it is told nothing else."""

    def __init__(self, socket: Path, upstream: str) -> None:
        self.url = f"unix://{socket}"
        self._upstream = upstream
        self._losses = 0
        self._command = b""
        #: Answers everything in the server's place, if set.
        self.says = b""
        #: Seconds by which each answer is late.
        self.delay = 0.0
        #: How often somebody sent something and waited for the answer.
        self.round_trips = 0
        self._held: Held | None = None
        self._refused = b""
        #: How many commands were refused.
        self.refusals = 0
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    def lose(self, answers: int, command: bytes = b"EVALSHA") -> None:
        """Hang up instead of passing on the next answers to a command: the server does what it is told."""
        self._losses, self._command = answers, command

    def refuse(self, command: bytes) -> None:
        """Answer the next command that has this in it in the server's place: its disk is full."""
        self._refused = command

    def hold(self, command: bytes) -> Held:
        """Keep the next answer to a command back until it is released."""
        self._held = Held(command)
        return self._held

    def half_open(self) -> None:
        """What comes on the connections that are open now goes nowhere, and nobody hangs up."""
        self._swallowed.update(self._connections)

    async def close(self) -> None:
        """Hang up everywhere."""
        for writer in self._connections:
            writer.close()
        for task in list(self._connections.values()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.create_task(self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        try:
            with suppress(ConnectionError):
                await self._forward(reader, writer, up_reader, up_writer)
        finally:
            del self._connections[writer]
            for each in (writer, up_writer):
                each.close()
                with suppress(ConnectionError):
                    await each.wait_closed()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        while request := await reader.read(1 << 16):
            if writer in self._swallowed:
                continue
            if self.says:
                writer.write(self.says * len(_commands(request)))
                continue
            if self._refused and self._refused in request:
                writer.write(await self._refusing(request, up_reader, up_writer))
                continue
            self.round_trips += 1
            up_writer.write(request)
            answer = await up_reader.read(1 << 16)
            if self._losses and self._command in request:
                self._losses -= 1
                return
            held = self._held
            if held is not None and held.command in request:
                self._held = None
                held.reached.set()
                await held.released.wait()
            await asyncio.sleep(self.delay)
            writer.write(answer)

    async def _refusing(
        self, request: bytes, up_reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter
    ) -> bytes:
        """The answers to commands of which one is refused; others may be those of somebody else."""
        answers = []
        for command in _commands(request):
            if self._refused and self._refused in command:
                self._refused = b""
                self.refusals += 1
                answers.append(DISK_FULL)
            else:
                up_writer.write(command)
                answers.append(await up_reader.read(1 << 16))
        return b"".join(answers)


def _commands(request: bytes) -> list[bytes]:
    """The commands of a request, each as it was sent: lists of texts that begin with their lengths."""
    commands = []
    while request:
        at = request.index(b"\r\n") + 2
        for _ in range(int(request[1 : at - 2])):
            header = request.index(b"\r\n", at) + 2
            at = header + int(request[at + 1 : header - 2]) + 2
        commands.append(request[:at])
        request = request[at:]
    return commands


DISK_FULL = b"-MISCONF Errors writing to the AOF file: No space left on device\r\n"


@asynccontextmanager
async def faulty_proxy(socket: Path, upstream: str) -> AsyncIterator[FaultyProxy]:
    proxy = FaultyProxy(socket, upstream)
    server = await asyncio.start_unix_server(proxy.accept, socket)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
