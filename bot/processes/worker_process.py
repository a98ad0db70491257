"""A worker as a process: how another one of ours starts, holds and ends it, and how it ends with that one.

`serve` starts its workers so (`bot/processes/supervisor.py`), and a worker starts the one in which suspects
are tried (`crews/worker/isolation.py`). What a worker does is in `crews/worker/worker.py`.
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
from bot.core.ports import Queue
from bot.processes.worker_environment import handed_over, worker_environment
from bot.settings import Settings
from bot.store.clock import QUARANTINED

log = structlog.get_logger(__name__)

STORE_RETRY_DELAY_S = 0.5
RETIRE, GRANTED, REFUSED = b"r", b"y", b"n"
"""What goes over the lifeline: a worker asks to retire, and whoever started it says whether it may."""


def command(what: str = "worker") -> tuple[str, ...]:
    """What starts a process that knows crews. `-P`: no file of the current folder stands in for a module."""
    return (sys.executable, "-P", "-m", "crews", what)


class WorkerProcess:
    """One that we started. It leads a process group of its own, and we hold its lifeline."""

    def __init__(self, worker_id: str, process: asyncio.subprocess.Process, lifeline: socket.socket) -> None:
        self.worker_id = worker_id
        self.pid = process.pid
        self._process = process
        self._lifeline = lifeline
        self._asked = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, worker_id: str, environment: Mapping[str, str]) -> Self:
        """Start one. Raises OSError. If this is cancelled, no process is left."""
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs, handed_over(environment) as handover:
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *command(),
                    env=handover.environment,
                    pass_fds=(handover.descriptor,),
                    stdin=theirs.fileno(),
                    process_group=0,  # Ctrl-C is for us; we tell the workers.
                )
            )
            try:
                return cls(worker_id, await asyncio.shield(starting), ours)
            except asyncio.CancelledError:
                # Interrupted halfway, asyncio would wait for ever for a child that it doesn't know yet.
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
        """Its exit status, once it has ended; negative for a signal."""
        status = await self._process.wait()
        # Not before: a descriptor that is closed while it is listened to may be another one by then.
        self._listening.cancel()
        await asyncio.wait({self._listening})
        self._lifeline.close()
        return status

    async def asks_to_retire(self) -> None:
        """Returns when it asks whether it may claim no more and end once its runs have: `answer` it.

        It asks when it has executed enough runs to be replaced. Waits for ever if it never asks.
        """
        await self._asked.wait()
        self._asked.clear()

    async def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while said := await asyncio.get_running_loop().sock_recv(self._lifeline, 1):
                if said == RETIRE:
                    self._asked.set()

    def answer(self, *, granted: bool) -> None:
        """Whether it may retire now. Refused, it works on, and asks again after as many runs."""
        with contextlib.suppress(OSError):
            self._lifeline.send(GRANTED if granted else REFUSED)

    async def ended(self, within: float) -> int:
        """The same; it is killed when it has not ended after so many seconds."""
        try:
            async with asyncio.timeout(within):
                return await self.wait()
        except TimeoutError:
            log.warning("A worker did not stop in time and is ended", pid=self.pid, worker=self.worker_id)
            self.kill()
            return await self.wait()

    def ask_to_stop(self) -> None:
        """SIGTERM, to it alone: what its tools have started may go on until their steps are recorded."""
        self._signal(os.kill, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, also to whatever it started, which lives in its process group."""
        self._signal(os.killpg, signal.SIGKILL)

    def _signal(self, send: Callable[[int, int], None], which: signal.Signals) -> None:
        if self._process.returncode is None:  # Later its number may be somebody else's.
            with contextlib.suppress(ProcessLookupError):
                send(self.pid, which)

    async def abandon(self, queue: Queue, within: float | None = None) -> None:
        """Have others take up now, and not when its leases run out, what it held when it ended.

        Waits for a store that is away: for so many seconds, or as long as it takes.
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


def become(settings: Settings, what: str = "worker", worker_id: str | None = None) -> Never:
    """Turn this process into one that knows crews, by default a worker, with a worker's environment."""
    sys.stdout.flush()
    with handed_over(worker_environment(settings, worker_id)) as handover:
        os.set_inheritable(handover.descriptor, True)  # noqa: FBT003 - it has no name
        os.execve(sys.executable, command(what), handover.environment)  # noqa: S606  (no shell is wanted)


# ── the lifeline, seen from inside the worker ───────────────────────────────────────────────────────────────


class Lifeline:
    """What connects a worker with the process that started it (`WorkerProcess`): its standard input.

    When it is cut, this process is asked to stop (SIGTERM); `grace` seconds later it is ended. The parent
    holds the other end: the kernel closes that with the parent, however this ends, also after a SIGKILL.
    """

    def __init__(self, grace: float) -> None:
        """To be made in the loop that is to hear of answers."""
        self._loop = asyncio.get_running_loop()
        self._answers: asyncio.Queue[bool] = asyncio.Queue()
        threading.Thread(target=self._watch, args=(grace,), name="lifeline", daemon=True).start()

    async def may_retire(self) -> bool:
        """Ask whether another worker is started in our stead, so that this one may claim no more."""
        try:
            os.write(sys.stdin.fileno(), RETIRE)
        except OSError:  # It is cut, and we are about to be stopped.
            return False
        return await self._answers.get()

    def _watch(self, grace: float) -> None:
        descriptor = sys.stdin.fileno()
        while answer := self._read(descriptor):
            with contextlib.suppress(RuntimeError):  # The loop has ended.
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
