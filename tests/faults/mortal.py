"""Servers that may be killed: the embedded Valkey, and a real Redis server with its replica."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import pytest
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


class Pair:
    """A Redis server and its replica."""

    def __init__(self, folder: Path, binary: str) -> None:
        self._binary = binary
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.primary = self._started("primary")
        port = self.primary.rpartition(":")[2]
        self.replica = self._started("replica", "--replicaof", "127.0.0.1", port)
        self._wait(self.replica, lambda client: client.info("replication")["master_link_status"] == "up")

    def fail_over(self) -> None:
        """The primary dies, and the replica takes its place."""
        self._processes[0].kill()
        self._processes[0].wait(10)
        with redis.Redis.from_url(self.replica) as client:
            client.replicaof("NO", "ONE")

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(10)

    def _started(self, name: str, *more: str) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        folder = self._folder / name
        folder.mkdir()
        command = [self._binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *more]
        options = [
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--save",
            "",
            "--repl-diskless-sync-delay",
            "0",
        ]
        self._processes.append(subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL))
        url = f"redis://127.0.0.1:{port}"
        self._wait(url, lambda client: client.ping())
        return url

    @staticmethod
    def _wait(url: str, there: Callable[[redis.Redis], object]) -> None:
        deadline = time.monotonic() + 20
        with redis.Redis.from_url(url) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(redis.ConnectionError):
                    if there(client):
                        return
                time.sleep(0.02)
        raise AssertionError(f"{url} doesn't come up")


@contextmanager
def pair() -> Iterator[Pair]:
    """Skips where there is no redis-server."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on PATH")
    with tempfile.TemporaryDirectory(prefix="crewdeck-") as folder:
        made = Pair(Path(folder), binary)
        try:
            yield made
        finally:
            made.end()
