"""Processes that are there in 0.2 s, not in 6: a fork server has imported crewai once and forks them.

    with ForkServer.opened() as fork_server:
        worker = fork_server.born(WORKER, env, folder, folder / "worker.log")   # `python -m crews worker`
        worker.kill()
        assert worker.wait(10) == -signal.SIGKILL
        subprocess.run([fork_server.python, "-m", "bot", "doctor"])

What runs in a child is the real command, from its start to its end; only the imports were done before. A
child may be stopped, killed and waited for like a `subprocess.Popen`. `fork_server.python` stands in for the
interpreter (`interpreter.py`): children start theirs with it, too. Nothing outlives the fork server: it kills
its children when the process that opened it goes away, however that ends.
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
from typing import Any, NamedTuple, Self

from tests.fork_server import interpreter

REPOSITORY = Path(__file__).resolve().parents[2]
UP_WITHIN = 90.0


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

    def __init__(self, process: subprocess.Popen[str], python: str) -> None:
        self._process = process
        self.python = python
        """An interpreter that this forks where it is to run commands of Crewdeck."""
        self._lock = threading.Lock()
        self._children: dict[int, Child] = {}
        self._born: queue.SimpleQueue[Child | None] = queue.SimpleQueue()
        self._up = threading.Event()
        self._listening = threading.Thread(target=self._listen, name="fork-server", daemon=True)
        self._listening.start()

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        """Start it. It imports while the block goes on; the first birth waits for that."""
        with tempfile.TemporaryDirectory(prefix="crewdeck-") as home:
            python = _installed(Path(home))
            # Who connects before it is up waits.
            programs = socket.socket(socket.AF_UNIX)
            programs.bind(str(python.with_name(interpreter.SOCKET)))
            programs.listen(64)
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server.server", python, str(programs.fileno())],
                cwd=REPOSITORY,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": home,
                    "LANG": "C.UTF-8",
                    "PYTHONPATH": str(REPOSITORY),
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=(programs.fileno(),),
                start_new_session=True,  # Ctrl-C is for the process that opened it.
            )
            programs.close()
            fork_server = cls(process, str(python))
            try:
                yield fork_server
            finally:
                fork_server.close()

    def close(self) -> None:
        """It kills what is left, and ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(UP_WITHIN)
        self._listening.join()
        self._process.stdout.close()

    def born(
        self, command: Command, env: Mapping[str, str], folder: Path, log: Path, errors: Path | None = None
    ) -> Child:
        """Fork a process that runs a command in a folder, with this environment and no other.

        `log` gets all that it says; with `errors` only its standard output.
        """
        assert self._up.wait(UP_WITHIN), "the fork server doesn't come up"
        logs = [str(log), str(errors or log)]
        for each in logs:
            Path(each).touch()
        wish = {"command": command, "env": dict(env), "folder": str(folder), "logs": logs}
        with self._lock:
            self._say(wish)
            child = self._born.get(timeout=UP_WITHIN)
        assert child is not None, "the fork server is gone"
        return child

    def _say(self, wish: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(wish)}\n")
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            match json.loads(line):
                case ["up"]:
                    self._up.set()
                case ["born", pid]:
                    self._children[pid] = Child(pid)
                    self._born.put(self._children[pid])
                case ["ended", pid, status] if pid in self._children:
                    self._children.pop(pid).ended(status)
        self._born.put(None)


def _installed(home: Path) -> Path:
    """The program that stands in for the interpreter, in the folder where the fork server listens."""
    program = home / "python"
    # Isolated and without site: nothing in the environment that it is started with matters to it.
    program.write_text(f"#!{sys.executable} -IS\n{Path(interpreter.__file__).read_text()}")
    program.chmod(0o700)
    return program
