"""A process that has imported crewai once and forks the others from it: a worker is there in 0.2 s, not in 6.

    with ForkServer.opened() as fork_server:
        worker = fork_server.born(WORKER, env, folder, folder / "worker.log")   # `python -m crews worker`
        worker.kill()
        assert worker.wait(10) == -signal.SIGKILL

What runs in a child is the real command, from its `main` to its end; only the imports were done before. A
child may be stopped, killed and waited for like a `subprocess.Popen`. Nothing outlives the fork server: it
kills its children when the process that opened it goes away, however that ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

REPOSITORY = Path(__file__).resolve().parents[2]
IMPORTED = (
    *(
        "crews.worker.worker",
        "crews.worker.runtime",
        "crews.building.loading",
        "bot.commands.serve",
        "bot.surfaces.slack.surface",
        "bot.surfaces.slack.delivery",
        "crewdeck",
    ),
    *("openai.resources", "httpcore", "h11", "anyio._backends._asyncio"),
)
"""All that commands import, and what the first call of a model does: that takes a second too."""
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

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
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
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.fork_server"],
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
                start_new_session=True,  # Ctrl-C is for the process that opened it.
            )
            fork_server = cls(process)
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

    def born(self, command: Command, env: Mapping[str, str], folder: Path, log: Path) -> Child:
        """Fork a process that runs a command in a folder, with this environment and no other."""
        assert self._up.wait(UP_WITHIN), "the fork server doesn't come up"
        log.touch()
        wish = {"command": command, "env": dict(env), "folder": str(folder), "log": str(log)}
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
                case ["ended", pid, status]:
                    self._children.pop(pid).ended(status)
        self._born.put(None)


# ── the fork server itself ──────────────────────────────────────────────────────────────────────────────


@dataclass
class _Ward:
    """Forks what standard input tells it to, and reports on standard output. It has one thread, always."""

    alive: set[int]
    wakeup: tuple[int, int]

    def run(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wakeup[1], warn_on_full_buffer=False)
        self._report("up")
        wishes = b""
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(self.wakeup[0], selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self.wakeup[0] in ready:
                    os.read(self.wakeup[0], 4096)
                    self._bury()
                if 0 in ready:
                    read = os.read(0, 1 << 16)
                    if not read:
                        return
                    *whole, wishes = (wishes + read).split(b"\n")
                    for wish in whole:
                        self._bear(json.loads(wish))

    def _bear(self, wish: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            _live(wish, self.wakeup)
        self.alive.add(pid)
        self._report("born", pid)

    def _bury(self) -> None:
        for pid in tuple(self.alive):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                self.alive.remove(pid)
                self._report("ended", pid, os.waitstatus_to_exitcode(status))

    @staticmethod
    def _report(*what: object) -> None:
        os.write(1, f"{json.dumps(what)}\n".encode())

    def sweep(self) -> None:
        """Nobody listens any more."""
        for pid in self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _live(wish: dict[str, Any], wakeup: tuple[int, int]) -> None:
    """The child's life. Never returns."""
    status = 1
    try:
        _move_in(wish, wakeup)
        module, arguments = wish["command"]
        status = importlib.import_module(module).main(arguments)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - it goes to the child's log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _move_in(wish: dict[str, Any], wakeup: tuple[int, int]) -> None:
    """Be a process of its own: signals, standard streams, folder, environment, what can be imported."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in wakeup:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.chdir(wish["folder"])
    os.environ.clear()
    os.environ.update(wish["env"])
    more = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in more if path and path not in sys.path]
    sys.argv = [wish["command"][0], *wish["command"][1]]


def main() -> None:
    from bot import settings
    from bot.processes import garbage_collector
    from crews.crewai_adapter import environment

    garbage_collector.tune()
    environment.prepare(settings.load())
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, threading.enumerate()
    wakeup = os.pipe()
    for descriptor in wakeup:
        os.set_blocking(descriptor, False)
    ward = _Ward(set(), wakeup)
    try:
        ward.run()
    finally:
        ward.sweep()


if __name__ == "__main__":
    main()
