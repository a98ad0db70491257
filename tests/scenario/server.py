"""`crewdeck serve` as a real process, for tests: started, announced, ready, and stopped again.

    async with Server.start(env={"CREWDECK_WORKERS": "0"}) as server:
        server.url                               # http://127.0.0.1:<port>
        server.output                            # what it said to people
        server.log                               # a list of its log's records
        server.get("/ready")                     # (status, parsed JSON or text)

`Server.started(...)` is the same without an event loop, for fixtures that live for a session. It runs in a
folder of its own with an environment of its own. `CREWDECK_WORKERS` is 1 as in real life; a test that needs
no crew says 0 and saves time. At the end SIGTERM has to stop everything within 10 s with exit status 0, and
nothing may be left.

A `Server` and what it starts is forked from the fork server of the session where there is one, which saves
their imports. An `ExecutedServer` is executed as people do it, and so are its processes; an
`ExecutedWebServer` is, and its workers are forked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from email.message import Message
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import psutil

from bot import local_token
from bot.store.embedded import Embedded
from tests.folders import own_folder
from tests.fork_server.client import Child, Command, ForkServer
from tests.waiting import WITHIN, pauses

REPOSITORY = Path(__file__).resolve().parents[2]
Wait = Literal["announced", "ready"]
FORK_SERVER = "tests.fork_server.server"
ANNOUNCED = re.compile(r"http://\S+:\d+")


class Server:
    """One `crewdeck` process and what it says."""

    program: Sequence[str] = (sys.executable, "-m", "bot")
    leads_session: ClassVar[bool] = True
    fork_server: ClassVar[ForkServer | None] = None
    """The one that servers are forked from; None executes the program."""

    def __init__(self, folder: Path, env: Mapping[str, str], command: str = "serve") -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.env = environment(folder) | dict(env)
        #: It has ended, and the test knows.
        self._ended = False
        self._stdout = folder / f"{command}.out"
        self._stderr = folder / f"{command}.err"
        self._reading = threading.Lock()
        self._bytes_read = 0
        self._records: list[dict[str, Any]] = []
        self._child = self._forked(command, self.fork_server) if self.fork_server else self._executed(command)

    @cached_property
    def process(self) -> psutil.Process:
        """Raises NoSuchProcess if it ended before anybody looked."""
        return psutil.Process(self._child.pid)

    def _forked(self, command: str, fork_server: ForkServer) -> Child:
        for said in (self._stdout, self._stderr):
            said.write_bytes(b"")  # of a former server in this folder
        main = Command("bot.commands.main", (command,))
        return fork_server.born(main, self.env, self.folder, self._stdout, self._stderr)

    def _executed(self, command: str) -> psutil.Popen:
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            return psutil.Popen(
                [*self.program, command],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # Ctrl-C is for the tests.
                start_new_session=self.leads_session,
                process_group=None if self.leads_session else 0,
            )

    @classmethod
    def python(cls) -> str:
        """The interpreter for commands that are run beside servers."""
        return cls.fork_server.python if cls.fork_server else sys.executable

    @classmethod
    @asynccontextmanager
    async def start(
        cls, env: Mapping[str, str] | None = None, folder: Path | None = None, *, wait: Wait = "ready"
    ) -> AsyncIterator[Self]:
        """A server that is ready (or has just announced itself).

        A `folder` keeps its data beyond the block, for the next server.
        """
        starting = cls.started(env, folder, wait=wait)
        server = await asyncio.to_thread(starting.__enter__)
        try:
            yield server
        except BaseException as error:
            kind, value, where = type(error), error, error.__traceback__
            if not await asyncio.to_thread(starting.__exit__, kind, value, where):
                raise
        else:
            await asyncio.to_thread(starting.__exit__, None, None, None)

    @classmethod
    @contextmanager
    def started(
        cls, env: Mapping[str, str] | None = None, folder: Path | None = None, *, wait: Wait = "ready"
    ) -> Iterator[Self]:
        with contextlib.ExitStack() as stack:
            home = folder or stack.enter_context(own_folder())
            server = cls(home, env or {})
            try:
                server.wait_until_up(wait)
                yield server
                server.stop()
            finally:
                server.sweep()

    @property
    def output(self) -> str:
        return self._stdout.read_text()

    @property
    def errors(self) -> str:
        """Standard error as it is."""
        return self._stderr.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The records of its log, from any thread. Who waits looks often: each record is read once."""
        with self._reading, self._stderr.open("rb") as file:
            file.seek(self._bytes_read)
            *lines, _unfinished = file.read().split(b"\n")
            self._bytes_read += sum(len(line) + 1 for line in lines)
            self._records += [json.loads(line) for line in lines if line.startswith(b"{")]
            return [*self._records]

    @property
    def url(self) -> str:
        announced = ANNOUNCED.search(self.output)
        assert announced, self.story()
        return announced.group()

    @property
    def workers(self) -> list[psutil.Process]:
        """Its worker processes, those it started before and has lost not included."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child for child in self.process.children() if "crews" in child.cmdline()]
        return []

    def kill_worker(self, worker: psutil.Process) -> None:
        """End one of its workers as a crash does; also a forked one is gone when this returns."""
        is_forked = Server.fork_server is not None and Server.fork_server.python in worker.cmdline()
        folder = worker.cwd()
        before = forked_in(folder) if is_forked else set()
        worker.kill()
        # What stands in for it dies first, and then the fork server kills it.
        self.wait_for(lambda: not alive(worker) and (not is_forked or before - forked_in(folder)))

    @property
    def store_url(self) -> str:
        """The address of its embedded Valkey, or the Redis it was given."""
        given = self.env.get("CREWDECK_REDIS_URL") or self.env.get("REDIS_URL")
        return given or f"unix://{self.data_dir / 'valkey' / 'valkey.sock'}"

    @property
    def bearer(self) -> dict[str, str]:
        """What proves that we are its user, where it has made a token for that."""
        token = local_token.read(self.data_dir)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Its answer: the status, and the body (parsed if it is JSON)."""
        request = urllib.request.Request(self.url + path, headers=self.bearer | dict(headers or {}))  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=WITHIN) as answer:  # noqa: S310
                return _answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.headers, error.read())

    def wait_until_up(self, wait: Wait = "ready") -> None:
        self.wait_for(lambda: ANNOUNCED.search(self.output), WITHIN)
        if wait == "ready":
            self.wait_for(self._ready, WITHIN)

    def _ready(self) -> bool:
        _, parts = self.get("/ready")
        needs_worker = self.env.get("CREWDECK_WORKERS", "1") != "0"
        up = parts["redis"] and all(parts["surfaces"].values())
        return bool(up and (parts["worker"] or not needs_worker))

    def wait_for(self, there: Callable[[], object], within: float = WITHIN) -> None:
        """Wait until something is the case; fails loudly when the process dies or the time is up."""
        deadline = time.monotonic() + within
        for pause in pauses():
            if there():
                return
            assert self._child.poll() is None, f"It died with {self._child.returncode}.\n{self.story()}"
            assert time.monotonic() < deadline, f"Not within {within} s.\n{self.story()}"
            time.sleep(pause)

    def wait(self, within: float = WITHIN) -> int:
        """Wait until it has ended by itself; its exit status."""
        try:
            status = int(self._child.wait(within))
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
            raise AssertionError(f"It doesn't end.\n{self.story()}") from None
        self._ended = True
        return status

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it as an operator does; nothing that it started may be left."""
        if self._ended:
            return
        assert self._child.poll() is None, f"It died with {self._child.returncode}.\n{self.story()}"
        started = [self.process, *self.process.children(recursive=True)]
        self._child.send_signal(how)
        assert self.wait() == 0, self.story()
        left = [each for each in started if alive(each)]
        assert not left, f"Left behind: {left}\n{self.story()}"

    def kill(self) -> None:
        """End it as a crash does."""
        self._child.kill()
        self.wait()

    def story(self) -> str:
        """All it said."""
        return f"--- standard output\n{self.output}--- standard error\n{self.errors}---"

    def sweep(self) -> None:
        """End what is left of it, whatever became of the test."""
        if self._child.poll() is None:
            self.kill()
        for process in _of_folder(self.folder):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(WITHIN)
        if (self.data_dir / "valkey").exists():
            Embedded.attach(self.data_dir).detach()


class ExecutedServer(Server):
    """A server that is executed, with all that it starts."""

    fork_server = None


WITH_FORKED_CHILDREN = """
import sys
sys.executable = sys.argv.pop(1)
from bot.commands.main import main
sys.exit(main())
"""


class ExecutedWebServer(ExecutedServer):
    """A server that is executed, and whose workers are forked: nearly all that they cost is their imports."""

    @property
    def program(self) -> Sequence[str]:  # type: ignore[override]
        return sys.executable, "-c", WITH_FORKED_CHILDREN, Server.python()


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that shares nothing with the machine's: no proxies, no keys, no `.env`."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "PORT": "0",
        "CREWDECK_DATA_DIR": str(folder / "data"),
        "CREWDECK_LOG_FORMAT": "json",
    }


def alive(process: psutil.Process) -> bool:
    """Does it still run? The dead that nobody buried yet don't."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def forked_in(folder: str) -> set[int]:
    """The ids of forked processes whose current folder this is."""
    found = psutil.process_iter(["pid", "cmdline", "cwd"])
    return {
        each.info["pid"]
        for each in found
        if each.info["cwd"] == folder and FORK_SERVER in (each.info["cmdline"] or ())
    }


def _of_folder(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if (
                process.environ().get("CREWDECK_DATA_DIR") == str(folder / "data")
                and "-m" in process.cmdline()
            ):
                found.append(process)
    return found


def _answer(status: int, headers: Message, body: bytes) -> tuple[int, Any]:
    text = body.decode()
    return status, json.loads(text) if "json" in (headers["Content-Type"] or "") else text
