"""Bytes that are sent past aiohttp are those that aiohttp would send."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import WSMsgType
from aiohttp._websocket.writer import WebSocketWriter
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_writer import StreamWriter

from bot.surfaces.http.streams.wire import chunk, text_frame

SIZES = (1, 15, 16, 125, 126, 127, 255, 256, 65_535, 65_536, 200_000)


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: list[bytes]) -> None:
        self.written += b"".join(parts)


def protocol(transport: Transport) -> BaseProtocol:
    return cast("BaseProtocol", SimpleNamespace(transport=transport, _paused=False))


@pytest.mark.parametrize("size", SIZES)
async def test_a_chunk(size: int) -> None:
    transport, data = Transport(), b"x" * size
    writer = StreamWriter(protocol(transport), cast("Any", None))
    writer.enable_chunking()
    await writer.write(data, drain=False)
    assert chunk(data) == transport.written


@pytest.mark.parametrize("size", SIZES)
async def test_a_frame(size: int) -> None:
    transport, data = Transport(), b"x" * size
    writer = WebSocketWriter(protocol(transport), cast("Any", transport))
    await writer.send_frame(data, WSMsgType.TEXT)
    assert text_frame(data) == transport.written
