"""A receiver of webhooks, as somebody would write it."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from tests.waiting import WITHIN


@dataclass(frozen=True)
class Received:
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def verified(self, secret: str) -> dict[str, Any]:
        found: dict[str, Any] = Webhook(secret).verify(self.body, dict(self.headers))
        return found


@dataclass
class Receiver:
    """Answers 204, unless told otherwise."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    #: What the next requests are answered with.
    planned: deque[int] = field(default_factory=deque)
    #: What requests of a run are answered with, while it is there.
    by_run: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    #: Seconds that it takes.
    slow: float = 0.0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        run = json.loads(body)["execution_id"]
        status = self.planned.popleft() if self.planned else self.by_run.get(run, 204)
        self.requests.append(Received({k.lower(): v for k, v in request.headers.items()}, body, status))
        self._arrived.set()
        await asyncio.sleep(self.slow)
        return web.Response(status=status, headers=self.headers)

    @property
    def accepted(self) -> list[Received]:
        return [each for each in self.requests if each.status < 300]

    def types(self) -> list[str]:
        """Of the events that it accepted, in the order in which they came."""
        return [each.event["type"] for each in self.accepted]

    def seqs(self) -> dict[str, list[int]]:
        """By run, the numbers of the events that it accepted."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for each in self.accepted:
            found[each.event["execution_id"]].append(each.event["seq"])
        return dict(found)

    async def until(self, done: Callable[[], object]) -> None:
        """Wait until requests have made it so."""
        async with asyncio.timeout(WITHIN):
            while not done():
                self._arrived.clear()
                await self._arrived.wait()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens while the block runs."""
    receiver = Receiver()
    site = web.Application()
    site.router.add_post("/{rest:.*}", receiver.take)
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    try:
        yield receiver
    finally:
        await runner.cleanup()
