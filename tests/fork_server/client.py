"""Processes that are there in 0.2 s, not in 6: a fork server has imported crewai once and forks them.

    with ForkServer.opened() as fork_server:
        worker = fork_server.born(WORKER, env, folder, folder / "worker.log")   # `python -m crews worker`
        worker.kill()
        assert worker.wait(WITHIN) == -signal.SIGKILL
        subprocess.run([fork_server.python, "-m", "bot", "doctor"])

What runs in a child is the real command, from its start to its end; only the imports were done before. A
child may be stopped, killed and waited for like a `subprocess.Popen`. `fork_server.python` stands in for the
interpreter (`interpreter.py`): children start theirs with it, too. The processes of `pytest -n` share one
fork server. It kills the children of each that goes away, however that ends, and all of them when the process
that started it goes away.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import pytest
from xdist.workermanage import WorkerController

from tests.fork_server import interpreter
from tests.fork_server.interpreter import CLIENTS, SOCKET
from tests.waiting import WITHIN

REPOSITORY = Path(__file__).resolve().parents[2]
FORKED_PYTHON = "forked_python"
"""Under which the processes of `pytest -n` are told where their fork server is."""


class Command(NamedTuple):
    """What a child runs: a `main` that takes arguments and returns an exit status."""

    module: str
    arguments: tuple[str, ...]


WORKER = Command("crews.__main__", ("worker",))
SERVE = Command("bot.commands.main", ("serve",))


class Child:
    """A process that was forked from the fork server."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """Its exit status if it has ended, negative for a signal."""
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Its exit status, once it has ended. Raises TimeoutExpired."""
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing happens to one that has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def ended(self, status: int) -> None:
        """The fork server has reaped it."""
        self.returncode = status
        self._ended.set()


class ForkServer:
    """The test's end of it; from any thread."""

    def __init__(self, python: Path) -> None:
        self.python = str(python)
        """An interpreter that is forked where it is to run commands of Crewdeck."""
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(python.with_name(CLIENTS)))
        self._lock = threading.Lock()
        self._children: dict[int, Child] = {}
        self._born: queue.SimpleQueue[Child | None] = queue.SimpleQueue()
        self._listening = threading.Thread(target=self._listen, name="fork-server", daemon=True)
        self._listening.start()

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        """One of this block's own."""
        with started() as python, cls.connected(python) as fork_server:
            yield fork_server

    @classmethod
    @contextmanager
    def connected(cls, python: Path) -> Iterator[Self]:
        """To one that was started. Its children of this block are killed when the block ends."""
        fork_server = cls(python)
        try:
            yield fork_server
        finally:
            fork_server.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the fork server is gone
            self._connection.shutdown(socket.SHUT_RDWR)
        self._listening.join()
        self._connection.close()

    def born(
        self, command: Command, env: Mapping[str, str], folder: Path, log: Path, errors: Path | None = None
    ) -> Child:
        """Fork a process that runs a command in a folder, with this environment and no other.

        The first one waits for the imports. `log` gets all that it says; with `errors` only its standard
        output.
        """
        logs = [str(log), str(errors or log)]
        for each in logs:
            Path(each).touch()
        wish = {"command": command, "env": dict(env), "folder": str(folder), "logs": logs}
        with self._lock:
            self._connection.sendall(f"{json.dumps(wish)}\n".encode())
            child = self._born.get(timeout=WITHIN)
        assert child is not None, "the fork server is gone"
        return child

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionError), self._connection.makefile() as said:
            for line in said:
                match json.loads(line):
                    case ["born", pid]:
                        self._children[pid] = Child(pid)
                        self._born.put(self._children[pid])
                    case ["ended", pid, status] if pid in self._children:
                        self._children.pop(pid).ended(status)
        self._born.put(None)


@contextmanager
def started() -> Iterator[Path]:
    """Start one, for any number of processes; yields its `python`. Its imports begin with the first wish."""
    with tempfile.TemporaryDirectory(prefix="crewdeck-") as home:
        python = _installed(Path(home))
        with (
            _listening(python.with_name(CLIENTS)) as clients,
            _listening(python.with_name(SOCKET)) as programs,
        ):
            listeners = (clients.fileno(), programs.fileno())
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server.server", python, *map(str, listeners)],
                cwd=REPOSITORY,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": home,
                    "LANG": "C.UTF-8",
                    "PYTHONPATH": str(REPOSITORY),
                },
                stdin=subprocess.PIPE,
                # Says nothing. Children have inherited what Python found out about it: not that it is a file.
                stdout=subprocess.PIPE,
                pass_fds=listeners,
                start_new_session=True,  # Ctrl-C is for the process that opened it.
            )
        try:
            yield python
        finally:
            process.communicate(timeout=WITHIN)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """Who connects before the fork server is up waits."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        yield listener


SHARED = pytest.StashKey[str]()


def share(node: WorkerController) -> None:
    """In the process that starts those of `pytest -n`, for each one: all of them use one fork server."""
    config = node.config
    if SHARED not in config.stash:
        stack = contextlib.ExitStack()
        config.add_cleanup(stack.close)
        config.stash[SHARED] = str(stack.enter_context(started()))
    node.workerinput[FORKED_PYTHON] = config.stash[SHARED]


@contextmanager
def of_session(config: pytest.Config) -> Iterator[ForkServer]:
    """The shared one of `pytest -n`, or else one of this process's own."""
    told: dict[str, str] = getattr(config, "workerinput", {})
    shared = told.get(FORKED_PYTHON)
    opened = ForkServer.connected(Path(shared)) if shared else ForkServer.opened()
    with opened as fork_server:
        yield fork_server


def _installed(home: Path) -> Path:
    """The program that stands in for the interpreter, in the folder where the fork server listens."""
    program = home / "python"
    # Isolated and without site: nothing in the environment that it is started with matters to it.
    program.write_text(f"#!{sys.executable} -IS\n{Path(interpreter.__file__).read_text()}")
    program.chmod(0o700)
    return program
