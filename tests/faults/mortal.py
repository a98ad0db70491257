"""The embedded Valkey, killed while others use it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import redis

from bot.store.embedded import Embedded


def kill(url: str) -> None:
    """SIGKILL for the server at this URL."""
    with redis.Redis.from_url(url) as client:
        process = psutil.Process(int(client.info("server")["process_id"]))
    process.kill()
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@asynccontextmanager
async def gone(server: Embedded) -> AsyncIterator[None]:
    """The server is killed, and started again at the end of the block."""
    await asyncio.to_thread(kill, server.url)
    yield
    await asyncio.to_thread(server.ensure)
