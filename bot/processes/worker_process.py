"""A worker as an operating system process: starting, stopping and ending it, and its end with its parent.

`serve` starts its workers this way (`bot/processes/supervisor.py`), and a worker starts the process that
isolates suspected runs (`crews/worker/isolation.py`). `crews/worker/worker.py` is what runs in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Never, Self

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.queue import Queue
from bot.core.project import Project
from bot.processes.worker_environment import worker_environment, worker_pipe
from bot.settings import Settings
from bot.store.clock import QUARANTINED

log = structlog.get_logger(__name__)

STANDARD_INPUT = 0
STORE_RETRY_DELAY_S = 0.5
RETIRE, GRANTED, REFUSED = b"r", b"y", b"n"
"""Messages on the lifeline: a worker asks to retire, and its parent grants or refuses."""


def command(what: str = "worker", project: Project | None = None) -> tuple[str, ...]:
    """The command line of a process of `crews`. `-P`: files in the current folder can't shadow modules."""
    python = project.python if project is not None and project.python else sys.executable
    return (python, "-P", "-m", "crews", what)


class WorkerProcess:
    """A child process. It leads its own process group, and is connected to its parent by the lifeline."""

    def __init__(self, worker_id: str, process: asyncio.subprocess.Process, lifeline: socket.socket) -> None:
        self.worker_id = worker_id
        self.pid = process.pid
        self._process = process
        self._lifeline = lifeline
        self._asked = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls, worker_id: str, environment: Mapping[str, str], project: Project | None = None
    ) -> Self:
        """Start a process, in the folder of its project. Raises OSError. Cancellation leaves none behind."""
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs, worker_pipe(environment) as handover:
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *command(project=project),
                    cwd=project.root if project is not None else None,
                    env=handover.environment,
                    pass_fds=(handover.descriptor,),
                    stdin=theirs.fileno(),
                    process_group=0,  # Ctrl-C must reach the parent only, which stops the workers.
                )
            )
            try:
                return cls(worker_id, await asyncio.shield(starting), ours)
            except asyncio.CancelledError:
                # Cancelled halfway, asyncio would wait for ever for a child that it doesn't know.
                with contextlib.suppress(OSError):
                    unwanted = cls(worker_id, await starting, ours)
                    unwanted.kill()
                    await unwanted.wait()
                ours.close()
                raise
            except OSError:
                ours.close()
                raise

    async def wait(self) -> int:
        """Wait for the end; returns the exit status, negative for a signal."""
        status = await self._process.wait()
        # Only now: the number of a closed descriptor can be reused while it is still being read.
        self._listening.cancel()
        await asyncio.wait({self._listening})
        self._lifeline.close()
        return status

    async def asks_to_retire(self) -> None:
        """Wait until the worker asks to retire: to claim no more runs and to end after its current ones.

        It asks once it has executed enough runs. Reply with `answer`. Waits for ever if the worker never
        asks.
        """
        await self._asked.wait()
        self._asked.clear()

    async def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while said := await asyncio.get_running_loop().sock_recv(self._lifeline, 1):
                if said == RETIRE:
                    self._asked.set()

    def answer(self, *, granted: bool) -> None:
        """Grant or refuse the retirement. A refused worker goes on and asks again after as many runs."""
        with contextlib.suppress(OSError):
            self._lifeline.send(GRANTED if granted else REFUSED)

    async def ended(self, within: float) -> int:
        """Wait for the end, and kill the process if it takes longer than `within` seconds."""
        try:
            async with asyncio.timeout(within):
                return await self.wait()
        except TimeoutError:
            log.warning("A worker did not stop in time and is ended", pid=self.pid, worker=self.worker_id)
            self.kill()
            return await self.wait()

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the worker only: its tools' subprocesses may run until their steps are recorded."""
        self._signal(os.kill, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the worker and to all subprocesses in its process group."""
        self._signal(os.killpg, signal.SIGKILL)

    def _signal(self, send: Callable[[int, int], None], which: signal.Signals) -> None:
        if self._process.returncode is None:  # afterwards the process id may be reused
            with contextlib.suppress(ProcessLookupError):
                send(self.pid, which)

    async def abandon(self, queue: Queue, within: float | None = None) -> None:
        """Queue the runs that the worker held when it ended, before its leases expire.

        Retries while the store is unavailable: for `within` seconds, or without limit.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                for run_id in await self._lost(queue):
                    log.warning("A run has lost its worker", run_id=run_id, worker=self.worker_id)

    async def _lost(self, queue: Queue) -> list[str]:
        while True:
            try:
                return await queue.abandon(self.worker_id, QUARANTINED)
            except StoreUnavailable:
                await asyncio.sleep(STORE_RETRY_DELAY_S)


def exec_crews(
    settings: Settings, what: str = "worker", worker_id: str | None = None, project: Project | None = None
) -> Never:
    """Replace this process by a process of `crews`, by default a worker, with a worker's environment.

    Raises OSError where the interpreter of the project can't be executed.
    """
    sys.stdout.flush()
    line = command(what, project)
    with worker_pipe(worker_environment(settings, worker_id, project)) as handover:
        os.set_inheritable(handover.descriptor, True)  # noqa: FBT003 - a positional-only parameter
        if project is not None:
            os.chdir(project.root)
        os.execve(line[0], line, handover.environment)  # noqa: S606  (no shell is wanted)


# ── the lifeline, seen from inside the worker ───────────────────────────────────────────────────────────────


class Lifeline:
    """The connection of a worker with its parent process (`WorkerProcess`), handed over as standard input.

    When it closes, this process gets SIGTERM, and exits `grace` seconds later. The kernel closes the other
    end when the parent ends, also after SIGKILL.
    """

    def __init__(self, grace: float) -> None:
        """Has to be created in the event loop that awaits `may_retire`, before code of crews is called."""
        self._loop = asyncio.get_running_loop()
        # Crews that read standard input would otherwise read the parent's answers, and wait for ever.
        self._descriptor = os.dup(STANDARD_INPUT)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, STANDARD_INPUT)
        os.close(nothing)
        self._answers: asyncio.Queue[bool] = asyncio.Queue()
        threading.Thread(target=self._watch, args=(grace,), name="lifeline", daemon=True).start()

    async def may_retire(self) -> bool:
        """Ask the parent for a successor; True if this worker should claim no more runs."""
        try:
            os.write(self._descriptor, RETIRE)
        except OSError:  # the lifeline is closed, and SIGTERM follows
            return False
        return await self._answers.get()

    def _watch(self, grace: float) -> None:
        while answer := self._read(self._descriptor):
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._answers.put_nowait, answer == GRANTED)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os._exit(1)

    @staticmethod
    def _read(descriptor: int) -> bytes:
        try:
            return os.read(descriptor, 1)
        except ConnectionError:
            return b""
