"""The fork server itself: it has imported crewai, and forks what it is asked to run.

It is asked on standard input by the process that opened it (`client.py`), and on its socket by programs
(`interpreter.py`). It has one thread, always.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Never

from tests.fork_server.interpreter import LENGTH_BYTES

IMPORTED = (
    *(
        "crews.worker.worker",
        "crews.worker.runtime",
        "crews.worker.serving",
        "crews.building.loading",
        "crews.building.check",
        "bot.commands.serve",
        "bot.commands.deliver",
        "bot.surfaces.slack.surface",
        "bot.surfaces.slack.delivery",
        "crewdeck",
    ),
    *("openai.resources", "httpcore", "h11", "anyio._backends._asyncio"),
)
"""All that commands import, and what the first call of a model does: that takes a second too."""
MAX_DESCRIPTORS = 16
FREE_ABOVE = 512
"""Numbers of descriptors that no child inherits something under."""


@dataclass(frozen=True)
class Wish:
    """What a child runs, and what it has."""

    run: Callable[[], int | None]
    env: dict[str, str]
    folder: str
    #: Open files, by the numbers that they get in the child.
    descriptors: dict[int, int]


@dataclass
class Ward:
    """Forks children, and reports their ends."""

    python: str
    wakeup: tuple[int, int]
    programs: socket.socket
    #: Those alive; of each that was forked for a program the connection with it.
    alive: dict[int, socket.socket | None] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _asked: bytes = b""

    def run(self) -> None:
        """Returns once the process that opened this is gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wakeup[1], warn_on_full_buffer=False)
        for source in (0, self.wakeup[0], self.programs):
            self.selector.register(source, selectors.EVENT_READ)
        _report("up")
        while True:
            for key, _ in self.selector.select():
                if key.fd == 0:
                    if not self._hear_opener():
                        return
                elif key.fd == self.wakeup[0]:
                    os.read(key.fd, 4096)
                    self._bury()
                elif key.fileobj is self.programs:
                    self._receive(self.programs.accept()[0])
                elif key.fileobj is self.alive.get(key.data):
                    self._hear_program(key.data)

    def _hear_opener(self) -> bool:
        read = os.read(0, 1 << 16)
        *whole, self._asked = (self._asked + read).split(b"\n")
        for asked in map(json.loads, whole):
            nothing = os.open(os.devnull, os.O_RDONLY)
            out, errors = (
                os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for log in asked["logs"]
            )
            run = partial(_call, *asked["command"])
            pid = self._bear(Wish(run, asked["env"], asked["folder"], {0: nothing, 1: out, 2: errors}), None)
            _report("born", pid)
        return bool(read)

    def _receive(self, program: socket.socket) -> None:
        """A program that has just connected says what it is to be."""
        length, received, _, _ = socket.recv_fds(program, LENGTH_BYTES, MAX_DESCRIPTORS)
        with program.makefile("rb") as rest:
            content = rest.read(int.from_bytes(length, "big"))
        if not content:  # it was killed before
            program.close()
            for descriptor in received:
                os.close(descriptor)
            return
        asked = json.loads(content)
        given = dict(zip(asked["descriptors"], received, strict=True))
        run = partial(_run, asked["arguments"])
        pid = self._bear(Wish(run, asked["env"], asked["folder"], given), program)
        self.selector.register(program, selectors.EVENT_READ, pid)

    def _bear(self, wish: Wish, program: socket.socket | None) -> int:
        pid = os.fork()
        if pid == 0:
            _live(wish, self.python)
        self.alive[pid] = program
        if program is not None:
            # Its subprocesses are killed with it, whenever that is.
            os.setpgid(pid, pid)
        for descriptor in wish.descriptors.values():
            os.close(descriptor)
        return pid

    def _hear_program(self, pid: int) -> None:
        """A program passes on the signals that it gets. Its end is the end of its process, too."""
        program = self.alive[pid]
        assert program is not None
        numbers = program.recv(64)
        for number in numbers:
            os.kill(pid, number)
        if not numbers:
            self._disconnect(pid, program)
            os.killpg(pid, signal.SIGKILL)

    def _disconnect(self, pid: int, program: socket.socket) -> None:
        self.selector.unregister(program)
        program.close()
        self.alive[pid] = None

    def _bury(self) -> None:
        for pid in tuple(self.alive):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                code = os.waitstatus_to_exitcode(status)
                if (program := self.alive[pid]) is not None:
                    with contextlib.suppress(BrokenPipeError):
                        program.send(str(code).encode())
                    self._disconnect(pid, program)
                del self.alive[pid]
                _report("ended", pid, code)

    def sweep(self) -> None:
        """Nobody listens any more."""
        for pid in self.alive:
            os.kill(pid, signal.SIGKILL)


def _report(*what: object) -> None:
    """To the process that opened this."""
    os.write(1, f"{json.dumps(what)}\n".encode())


def _live(wish: Wish, python: str) -> Never:
    """The child's life."""
    status: int | None = 1
    try:
        _move_in(wish, python)
        status = wish.run()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int | None) else 1
    except BaseException:  # noqa: BLE001 - it goes to the child's log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def _call(module: str, arguments: list[str]) -> int | None:
    sys.argv = [module, *arguments]
    status: int | None = importlib.import_module(module).main(arguments)
    return status


def _run(arguments: list[str]) -> None:
    """As the interpreter does with `[-P] -m module ...`."""
    if arguments[0] == "-P":
        arguments = arguments[1:]
    else:
        sys.path.insert(0, str(Path.cwd()))
    sys.argv = arguments[1:]
    try:
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    finally:
        # As the interpreter ends, without taking apart what was imported.
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001


def _move_in(wish: Wish, python: str) -> None:
    """Be a process of its own: signals, open files, folder, environment, what can be imported."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    kept = {
        number: fcntl.fcntl(source, fcntl.F_DUPFD, FREE_ABOVE) for number, source in wish.descriptors.items()
    }
    os.closerange(0, FREE_ABOVE)
    for number, source in kept.items():
        os.dup2(source, number)
        os.close(source)
    os.chdir(wish.folder)
    os.environ.clear()
    os.environ.update(wish.env)
    more = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in more if path and path not in sys.path]
    sys.executable = python


def main() -> None:
    from bot import settings
    from bot.processes import garbage_collector
    from crews.crewai_adapter import environment

    [_, python, descriptor] = sys.argv
    garbage_collector.tune()
    environment.prepare(settings.load())
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, threading.enumerate()
    wakeup = os.pipe()
    for end in wakeup:
        os.set_blocking(end, False)
    with socket.socket(fileno=int(descriptor)) as programs:
        ward = Ward(python, wakeup, programs)
        try:
            ward.run()
        finally:
            ward.sweep()


if __name__ == "__main__":
    main()
