"""The embedded Valkey, killed while others use it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psutil
import redis

from bot.store.embedded import Embedded
from tests.waiting import WITHIN


def process_of(url: str) -> psutil.Process:
    """The server at this URL."""
    with redis.Redis.from_url(url) as client:
        return psutil.Process(int(client.info("server")["process_id"]))


@contextmanager
def paused(url: str) -> Iterator[None]:
    """SIGSTOP for the server at this URL, and SIGCONT at the end of the block."""
    process = process_of(url)
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def kill(url: str) -> None:
    """SIGKILL for the server at this URL."""
    process = process_of(url)
    process.kill()
    deadline = time.monotonic() + WITHIN
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@asynccontextmanager
async def gone(server: Embedded) -> AsyncIterator[None]:
    """The server is killed, and started again at the end of the block."""
    await asyncio.to_thread(kill, server.url)
    yield
    await asyncio.to_thread(server.ensure)
