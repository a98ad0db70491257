"""A loopback of a platform as a server: it listens on one port, and can be away for a while."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

MAX_BODY_BYTES = 64 * 1024 * 1024


class LoopbackServer(ABC):
    """Listens between `come_up` and `go_down`, each time on the same port."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @abstractmethod
    def _application(self) -> web.Application:
        """What it serves."""

    async def come_up(self) -> None:
        """Listen; on the same port after `go_down`."""
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def go_down(self) -> None:
        """Refuse connections, and close those there are. What is stored stays."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Down for as long as the block runs."""
        await self.go_down()
        try:
            yield
        finally:
            await self.come_up()
