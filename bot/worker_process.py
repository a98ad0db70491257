"""A worker as a process: how another one of ours starts, holds and ends it, and how it ends with that one.

`serve` starts its workers so (`bot/supervisor.py`), and a worker starts the one in which suspects are tried
(`crews/isolation.py`). What a worker does is in `crews/worker.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Never, Self

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import Work
from bot.settings import Settings, worker_environment
from bot.store.clock import QUARANTINED

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-m", "crews", "worker")
STORE_PAUSE = 0.5


class WorkerProcess:
    """One that we started. It leads a process group of its own, and we hold its lifeline."""

    def __init__(self, worker_id: str, process: asyncio.subprocess.Process) -> None:
        self.worker_id = worker_id
        self.pid = process.pid
        self._process = process

    @classmethod
    async def start(cls, worker_id: str, environment: Mapping[str, str]) -> Self:
        """Start one. Raises OSError. If this is cancelled, no process is left."""
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *COMMAND,
                env=environment,
                stdin=asyncio.subprocess.PIPE,  # The lifeline; nothing is ever written to it.
                process_group=0,  # Ctrl-C is for us; we tell the workers.
            )
        )
        try:
            return cls(worker_id, await asyncio.shield(starting))
        except asyncio.CancelledError:
            # Interrupted halfway, asyncio would wait for ever for a child that it doesn't know yet.
            with contextlib.suppress(OSError):
                unwanted = cls(worker_id, await starting)
                unwanted.kill()
                await unwanted.wait()
            raise

    async def wait(self) -> int:
        """Its exit status, once it has ended; negative for a signal."""
        return await self._process.wait()

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

    async def abandon(self, store: Work, within: float | None = None) -> None:
        """Have others take up now, and not when its leases run out, what it held when it ended.

        Waits for a store that is away: for so many seconds, or as long as it takes.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                for run_id in await self._lost(store):
                    log.warning("A run has lost its worker", run_id=run_id, worker=self.worker_id)

    async def _lost(self, store: Work) -> list[str]:
        while True:
            try:
                return await store.abandon(self.worker_id, QUARANTINED)
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE)


def become_worker(settings: Settings) -> Never:
    """Turn this process into one worker, which is nobody's child but that of who started us."""
    sys.stdout.flush()
    os.execve(sys.executable, COMMAND, worker_environment(settings))  # noqa: S606  (no shell is wanted)


# ── the lifeline, seen from inside the worker ───────────────────────────────────────────────────────────────


def stop_with_parent(grace: float) -> None:
    """When standard input ends, ask this process to stop (SIGTERM); `grace` seconds later it is ended.

    For what `WorkerProcess` started, which has CREWDECK_WORKER_ID set. Its parent holds the other end: the
    kernel closes that with the parent, however this ends, also after a SIGKILL.
    """
    threading.Thread(target=_watch, args=(grace,), name="lifeline", daemon=True).start()


def _watch(grace: float) -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os._exit(1)
