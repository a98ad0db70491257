"""Clients that follow a run over one transport, as thin as they can be: what is measured is who serves them.

A full HTTP client costs more for each message than serving it does: with 1,000 of them we would measure the
clients. So these write their request by hand, and look for a mark in the bytes that arrive.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Literal, get_args
from urllib.parse import SplitResult, quote, urlsplit

from bench.peers import json_lines

Transport = Literal["SSE", "WebSocket", "long poll"]
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)

AT_ONCE = 50
"""Connections that are opened at the same time: a server accepts only so many waiting ones."""
RECEIVED_WITHIN = 30.0
POLL_WAITS = 50
"""Seconds; longer than an event is ever away."""
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"
END_OF_PAGE = b"]}"
BUSY = b"HTTP/1.1 503"
RETRY_AFTER = 2.0
"""Seconds, as a busy server asks for."""


class Client(asyncio.Protocol):
    """A client of event streams; the others do a little more."""

    def __init__(self, host: str, run_id: str, seen: Callable[[Client], None]) -> None:
        self.buffer = b""
        self.host = host
        self.run_id = run_id
        self._seen = seen
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.ask()

    def ask(self) -> None:
        self.get(f"/events/human-input/{self.run_id}")

    def get(self, path: str, headers: str = "") -> None:
        self.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n".encode())

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._seen(self)

    def forget(self) -> None:
        """What has arrived is not needed any more."""
        self.buffer = b""

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class SocketClient(Client):
    """A client of WebSockets."""

    def ask(self) -> None:
        self.get(f"/ws/human-input/{self.run_id}", UPGRADE.format(key=KEY))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if data.endswith(PING):
            self.write(PONG)


class PollClient(Client):
    """A client that polls, and does so again as soon as it has an answer."""

    cursor = ""

    def ask(self) -> None:
        self.get(f"/poll/human-input/{self.run_id}?wait={POLL_WAITS}&last_event_id={quote(self.cursor)}")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        head, _, body = self.buffer.partition(b"\r\n\r\n")
        if data.endswith(END_OF_PAGE):
            if events := json.loads(body)["events"]:
                self.cursor = events[-1]["event_id"]
            self.buffer = b""
            self.ask()
        elif head.startswith(BUSY) and body:
            self.buffer = b""
            asyncio.get_running_loop().call_later(RETRY_AFTER, self.ask)

    def forget(self) -> None:
        """It forgets by itself, when its answer is complete."""


CLIENTS: dict[Transport, type[Client]] = {
    "SSE": Client,
    "WebSocket": SocketClient,
    "long poll": PollClient,
}


class StreamClients:
    """Clients of one run, and when each of them has seen what is looked for."""

    def __init__(self) -> None:
        self._clients: list[Client] = []
        self._mark = b""
        self._missing: set[Client] = set()
        self._times: list[float] = []
        self._all_seen = asyncio.Event()

    async def open(self, transport: Transport, url: str, run_id: str, many: int) -> None:
        """Connect; there may be something for them to see already."""
        where = urlsplit(url)
        made = CLIENTS[transport]
        self._clients = [made(where.netloc, run_id, self._seen) for _ in range(many)]
        self._expected()
        for first in range(0, many, AT_ONCE):
            some = self._clients[first : first + AT_ONCE]
            await asyncio.gather(*(_connect(client, where) for client in some))

    def expect(self, mark: str) -> None:
        """Look for this from now on."""
        self._mark = mark.encode()
        self._expected()

    def _expected(self) -> None:
        self._missing, self._times = set(self._clients), []
        self._all_seen.clear()

    def _seen(self, client: Client) -> None:
        now = time.time()
        if self._mark in client.buffer and client in self._missing:
            self._missing.remove(client)
            self._times.append(now)
            if not self._missing:
                self._all_seen.set()

    async def received(self) -> list[float]:
        """When each client has seen it, by the machine's clock; once all have."""
        async with asyncio.timeout(RECEIVED_WITHIN):
            await self._all_seen.wait()
        for client in self._clients:
            client.forget()
        return self._times

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._clients = []


async def _connect(client: Client, where: SplitResult) -> None:
    assert where.hostname is not None
    assert where.port is not None
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: client, where.hostname, where.port)


async def main() -> None:
    crowd = StreamClients()
    json_lines.say(up=True)
    async for asked in json_lines.requests():
        match asked:
            case {"open": transport, "url": url, "run_id": run_id, "many": many, "mark": mark}:
                crowd.expect(mark)
                await crowd.open(transport, url, run_id, many)
                json_lines.say(received=await crowd.received())
            case {"expect": mark}:
                crowd.expect(mark)
                json_lines.say(expected=mark)
                json_lines.say(received=await crowd.received())
            case _:
                crowd.close()
                json_lines.say(closed=True)


if __name__ == "__main__":
    asyncio.run(main())
