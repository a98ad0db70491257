"""The fork server itself: it has imported crewai, and forks what it is asked to run.

It is asked on one socket by processes that run tests (`client.py`), and on another one by programs
(`interpreter.py`). It ends with its standard input. It has one thread, always.
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
import select
import selectors
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

from tests.fork_server.interpreter import LENGTH_BYTES

if TYPE_CHECKING:
    from bot.settings import Settings

IMPORTED = (
    *(
        "crews.worker.worker",
        "crews.worker.runtime",
        "crews.worker.serving",
        "crews.building.loading",
        "crews.building.check",
        "bot.commands.serve",
        "bot.commands.deliver",
        "bot.commands.command_line",
        "bot.terminal.commands",
        "bot.terminal.inbox",
        "bot.terminal.watch",
        "bot.surfaces.slack.surface",
        "bot.surfaces.slack.delivery",
        "crews.projects.process_setup",
        "crewdeck",
    ),
    # What the first call of a model imports: that takes a second too.
    *("openai.resources", "httpcore", "h11", "anyio._backends._asyncio"),
    # What CrewAI, and crews that come with Crewdeck, import only when they are used.
    *("crewai.a2a.wrapper", "crewai.hooks.contexts", "crewai.llms.cache", "crewai.skills.tool"),
    *("crewai.types.utils", "cel_expr_python.cel", "crews.definitions.payments"),
    # Crews of tests, which most of their workers import, whatever they are to run; none whose code depends
    # on the environment.
    *("tests.contract.crews.gated", "tests.contract.crews.toolbox"),
    *("tests.faults.slow_tools", "tests.faults.toolbox", "tests.faults.worker_flows"),
)
"""All that commands import."""
TESTS = Path(__file__).resolve().parents[1]
DEFINITIONS = [
    TESTS / folder
    for folder in (
        *("contract/crews/definitions", "scenario/crews"),
        *("faults/definitions", "faults/releases/crews", "faults/chaos/definitions"),
    )
]
"""Crews in YAML that most workers of tests read."""
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
class Client:
    """A process that runs tests: it asks for children, which are killed when it goes away."""

    connection: socket.socket
    _asked: bytes = b""

    def read(self) -> list[dict[str, Any]] | None:
        """What it asks for; None once it is gone."""
        try:
            read = self.connection.recv(1 << 16)
        except ConnectionResetError:
            read = b""
        *whole, self._asked = (self._asked + read).split(b"\n")
        return [json.loads(each) for each in whole] if read else None

    def tell(self, *what: object) -> None:
        with contextlib.suppress(ConnectionError):  # it is about to be heard that it is gone
            self.connection.sendall(f"{json.dumps(what)}\n".encode())


@dataclass
class Ward:
    """Forks children, and reports their ends."""

    python: str
    wakeup: tuple[int, int]
    clients: socket.socket
    programs: socket.socket
    #: Those alive; of each who asked for it, a client or a program, None once that is gone.
    alive: dict[int, Client | socket.socket | None] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self) -> None:
        """Returns once the process that started this is gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wakeup[1], warn_on_full_buffer=False)
        for source in (0, self.wakeup[0], self.clients, self.programs):
            self.selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fd == 0:
                    return
                if key.fd == self.wakeup[0]:
                    os.read(key.fd, 4096)
                    self._bury()
                elif key.fileobj is self.clients:
                    connection = self.clients.accept()[0]
                    self.selector.register(connection, selectors.EVENT_READ, Client(connection))
                elif key.fileobj is self.programs:
                    self._receive(self.programs.accept()[0])
                elif isinstance(key.data, Client):
                    self._hear_client(key.data)
                elif key.fileobj is self.alive.get(key.data):
                    self._hear_program(key.data)

    def _hear_client(self, client: Client) -> None:
        asked = client.read()
        for each in asked or ():
            nothing = os.open(os.devnull, os.O_RDONLY)
            out, errors = (
                os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for log in each["logs"]
            )
            run = partial(_call, *each["command"])
            wish = Wish(run, each["env"], each["folder"], {0: nothing, 1: out, 2: errors})
            client.tell("born", self._bear(wish, client))
        if asked is None:
            self.selector.unregister(client.connection)
            client.connection.close()
            for pid in [pid for pid, who in self.alive.items() if who is client]:
                self.alive[pid] = None
                os.kill(pid, signal.SIGKILL)

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

    def _bear(self, wish: Wish, who: Client | socket.socket) -> int:
        # Its subprocesses are killed with it, whenever that is.
        leads_group = isinstance(who, socket.socket)
        pid = os.fork()
        if pid == 0:
            if leads_group:
                os.setpgid(0, 0)
            _live(wish, self.python)
        self.alive[pid] = who
        if leads_group:
            # The child may not have come to it. One that has executed a program has, and takes it no more.
            with contextlib.suppress(PermissionError):
                os.setpgid(pid, pid)
        for descriptor in wish.descriptors.values():
            os.close(descriptor)
        return pid

    def _hear_program(self, pid: int) -> None:
        """A program passes on the signals that it gets. Its end is the end of its process, too."""
        program = self.alive[pid]
        assert isinstance(program, socket.socket)
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
                who = self.alive[pid]
                if isinstance(who, Client):
                    who.tell("ended", pid, code)
                elif who is not None:
                    with contextlib.suppress(BrokenPipeError):
                        who.send(str(code).encode())
                    self._disconnect(pid, who)
                del self.alive[pid]

    def sweep(self) -> None:
        """Nobody listens any more."""
        for pid in self.alive:
            os.kill(pid, signal.SIGKILL)


def _live(wish: Wish, python: str) -> Never:
    """The child's life."""
    status: int | None = 1
    try:
        _move_in(wish, python)
        status = wish.run()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int | None) else _complain(leaving.code)
    except BaseException:  # noqa: BLE001 - it goes to the child's log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def _complain(reason: object) -> int:
    """As the interpreter does when a program ends with `sys.exit("why")`."""
    sys.stderr.write(f"{reason}\n")
    return 1


def _call(module: str, arguments: list[str]) -> int | None:
    sys.argv = [module, *arguments]
    status: int | None = importlib.import_module(module).main(arguments)
    return status


def _run(arguments: list[str]) -> None:
    """As the interpreter does with `[-P] -m module ...` and `[-P] -c code ...`."""
    if arguments[0] == "-P":
        arguments = arguments[1:]
    else:
        sys.path.insert(0, str(Path.cwd()) if arguments[0] == "-m" else "")
    kind, what, *rest = arguments
    sys.argv = [what if kind == "-m" else kind, *rest]
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), main.__dict__)  # noqa: S102 - what a test is to run
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


def _fill_caches(configured: Settings) -> None:
    """Compute what each worker computes, whatever its crews are, and what its first model does."""
    from crews.crewai_adapter.models import openai
    from crews.definitions import code, defined_crews

    defined_crews.read([*configured.crew_dirs, *DEFINITIONS])
    code.keep_sources()
    openai.build_response_models()
    openai.trusted_certificates()


def main() -> None:
    from bot import settings
    from bot.processes import garbage_collector
    from crews.crewai_adapter import environment, platform_catalog

    [_, python, *descriptors] = sys.argv
    clients, programs = (socket.socket(fileno=int(each)) for each in descriptors)
    # Tests that need no child need no imports.
    watched: list[int | socket.socket] = [0, clients, programs]
    if 0 in select.select(watched, [], [])[0]:
        return
    garbage_collector.tune()
    environment.prepare(settings.load())
    platform_catalog.drop_tools()  # as each worker does: what is gone isn't freed again in each
    for module in IMPORTED:
        importlib.import_module(module)
    # Again: what Python remembers of classes is forgotten by imports.
    _fill_caches(settings.load())
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, threading.enumerate()
    wakeup = os.pipe()
    for end in wakeup:
        os.set_blocking(end, False)
    with clients, programs:
        ward = Ward(python, wakeup, clients, programs)
        try:
            ward.run()
        finally:
            ward.sweep()


if __name__ == "__main__":
    main()
