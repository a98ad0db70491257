"""A TCP proxy of Redis with faults: held in a direction, slow, cut in the midst of an answer, led elsewhere.

What is held isn't lost: as on a network that comes back, it arrives late, also when its sender has hung up.
The proxy has a thread of its own; its methods may be called from any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from redis.connection import parse_url

from tests.waiting import WITHIN

T = TypeVar("T")
CHUNK = 1 << 16
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing a reset."""


class Direction:
    """One direction of the proxy."""

    def __init__(self) -> None:
        #: Seconds that each piece takes, at least and at most.
        self.latency = (0.0, 0.0)
        #: Bytes after which connections are reset, one after the other.
        self.resets: list[int] = []
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        """Returns when a piece may go on."""
        await asyncio.sleep(random.uniform(*self.latency))
        await self._open.wait()


class RedisProxy:
    """The proxy; `url` is its near end."""

    def __init__(self, redis_url: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._upstream = redis_url
        self._writers: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self.to_server, self.to_client = Direction(), Direction()
        self.url = ""

    @classmethod
    @contextmanager
    def listening(cls, redis_url: str) -> Iterator[Self]:
        """A proxy of the Redis at this URL."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
        thread.start()
        proxy = cls(redis_url, loop)
        server = proxy._do(proxy._listen())
        try:
            yield proxy
        finally:
            proxy._call(server.close)
            proxy._do(proxy._end())
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    def hold(self, *directions: Direction) -> None:
        """Nothing gets through these directions (by default both), and nobody is told."""
        for direction in directions or (self.to_server, self.to_client):
            self._call(direction.hold)

    def heal(self) -> None:
        """Everything is as it should be; what was held arrives now."""
        for direction in (self.to_server, self.to_client):
            direction.latency, direction.resets = (0.0, 0.0), []
            self._call(direction.release)

    # ── on the proxy's own loop ─────────────────────────────────────────────────────────────────────────

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN)

    def _call(self, act: Callable[[], object]) -> None:
        async def acted() -> None:
            act()

        self._do(acted())

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await self._reach()
        except OSError:
            _reset(writer)
            return
        self._writers |= {writer, back}
        for source, sink, direction in ((reader, back, self.to_server), (there, writer, self.to_client)):
            task = asyncio.create_task(self._carry(source, sink, direction))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        where = parse_url(self._upstream)  # type: ignore[no-untyped-call]
        if "path" in where:
            return await asyncio.open_unix_connection(where["path"])
        return await asyncio.open_connection(where.get("host", "127.0.0.1"), where.get("port", 6379))

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, direction: Direction
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(CHUNK):
                await direction.passed()
                if direction.resets:
                    sink.write(piece[: direction.resets.pop(0)])
                    await sink.drain()
                    _reset(sink)
                    break
                sink.write(piece)
                await sink.drain()
            await direction.passed()
        sink.close()
        self._writers.discard(sink)

    async def _end(self) -> None:
        for writer in tuple(self._writers):
            _reset(writer)
        carrying = tuple(self._carrying)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    ours: socket.socket | None = writer.get_extra_info("socket")
    if ours is not None and ours.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()
