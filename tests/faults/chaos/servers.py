"""The Redis of a deployment, which can be killed: the embedded Valkey, or a redis-server from PATH."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot.store.embedded import Embedded
from tests.waiting import WITHIN


class RedisServer(Protocol):
    """A server with an append-only file, on a unix socket."""

    socket: Path

    def kill(self) -> None:
        """SIGKILL. It is gone when this returns."""

    def start(self) -> None:
        """Start it again, on the same data. It answers when this returns."""

    def stop(self) -> None:
        """The end."""


class EmbeddedValkey:
    """The server that comes with Crewdeck."""

    def __init__(self, folder: Path) -> None:
        self._embedded = Embedded.attach(folder)
        self._home = folder / "valkey"
        self.socket = Path(self._embedded.url.removeprefix("unix://"))

    def kill(self) -> None:
        pid = int((self._home / "valkey.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        self._wait_until_refused()

    def start(self) -> None:
        self._embedded.ensure()

    def stop(self) -> None:
        self._embedded.detach()

    def _wait_until_refused(self) -> None:
        deadline = time.monotonic() + WITHIN
        while _answers(self.socket):
            assert time.monotonic() < deadline, "the Valkey doesn't die"
            time.sleep(0.005)


class InstalledRedis:
    """A redis-server from PATH, set up as the documentation wants it."""

    def __init__(self, folder: Path) -> None:
        binary = self.binary()
        assert binary is not None
        folder.mkdir()
        self.socket = folder / "redis.sock"
        options = {"port": "0", "unixsocket": str(self.socket), "dir": str(folder), "save": ""}
        options |= {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        self._command = [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]
        self.start()

    @staticmethod
    def binary() -> str | None:
        return shutil.which("redis-server")

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + WITHIN
        while not _answers(self.socket):
            assert time.monotonic() < deadline, "the redis-server doesn't come up"
            time.sleep(0.005)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(WITHIN)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(WITHIN)


def _answers(socket: Path) -> bool:
    once = Retry(NoBackoff(), 0)
    client = redis.Redis(unix_socket_path=str(socket), retry=once)
    with contextlib.suppress(redis.RedisError), client:
        return bool(client.ping())
    return False
