"""The workers that `serve` has as children: started, started again when they die, and stopped with us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
import uuid
from typing import Never

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import Work
from bot.metrics import Metrics
from bot.settings import Settings, worker_environment
from bot.store.clock import QUARANTINED

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-m", "crews", "worker")
FIRST_PAUSE = 0.5
WORKER_NICENESS = 5
LONGEST_PAUSE = 30.0
HEALTHY_AFTER = 30.0
"""Seconds of life after which a death counts as the first one again."""
SHORTEST_LIFE = 1.0
"""Seconds. A worker that ends sooner has not been recycled, whatever it says."""
LAST_WORDS = 2.0
"""Seconds beyond `settings.drain` in which a worker gives back what it still holds."""
LONGEST_GRACE = 7.5
"""Seconds that stopping workers get at most: all of `serve` is to be gone after 10."""
ABANDON_WITHIN = 1.0
STORE_PAUSE = 0.5


class Supervisor:
    """Keeps `settings.workers` worker processes running."""

    def __init__(self, settings: Settings, store: Work, metrics: Metrics) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._children: set[asyncio.subprocess.Process] = set()
        #: When stopping workers are ended, by the monotonic clock; none before they were asked to stop.
        self._end_at: float | None = None

    async def run(self) -> None:
        """Keep them running until cancelled; then they stop, and what they still held is queued again."""
        async with asyncio.TaskGroup() as slots:
            for _ in range(self._settings.workers):
                slots.create_task(self._keep_one())

    def stop(self) -> None:
        """Ask all workers to stop, and start no more. `run` has still to be cancelled."""
        if not self._stopping():
            self._end_at = time.monotonic() + min(self._settings.drain + LAST_WORDS, LONGEST_GRACE)
            for child in self._children:
                _signal(child, signal.SIGTERM)

    def kill(self) -> None:
        """End all workers at once, without asking."""
        for child in self._children:
            _signal(child, signal.SIGKILL)

    def _stopping(self) -> bool:
        return self._end_at is not None

    async def _keep_one(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping():
            born = time.monotonic()
            status = await self._live()
            if self._stopping():
                return
            lived = time.monotonic() - born
            if status == 0 and lived > SHORTEST_LIFE:
                continue  # It was recycled.
            if lived >= HEALTHY_AFTER:
                pause = FIRST_PAUSE
            self._metrics.worker_restarts.inc()
            log.error("A worker died and is started again", status=status, in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _live(self) -> int:
        """One worker from its start to its end; its exit status, negative for a signal."""
        worker_id = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        child = await self._born(worker_id)
        try:
            status = await child.wait()
        except asyncio.CancelledError:
            await self._stopped(child)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ABANDON_WITHIN):
                    await self._abandon(worker_id)
            raise
        finally:
            self._children.discard(child)
        await self._abandon(worker_id)
        return status

    async def _born(self, worker_id: str) -> asyncio.subprocess.Process:
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *COMMAND,
                env=worker_environment(self._settings, worker_id),
                stdin=asyncio.subprocess.PIPE,  # bot/lifeline.py
                process_group=0,  # Ctrl-C is for us; we tell the workers.
            )
        )
        try:
            child = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Interrupted halfway, asyncio would wait for ever for a child that it doesn't know yet.
            child = await starting
            _signal(child, signal.SIGKILL)
            await child.wait()
            raise
        self._children.add(child)
        _yield_to_people(child)
        return child

    async def _stopped(self, child: asyncio.subprocess.Process) -> None:
        self.stop()
        try:
            async with asyncio.timeout((self._end_at or 0) - time.monotonic()):
                await child.wait()
        except TimeoutError:
            log.warning("A worker did not stop in time and is ended", pid=child.pid)
            _signal(child, signal.SIGKILL)
            await child.wait()

    async def _abandon(self, worker_id: str) -> None:
        """Have others take up the runs it held now, and not when its leases run out."""
        while True:
            try:
                for run_id in await self._store.abandon(worker_id, QUARANTINED):
                    log.warning("A run has lost its worker", run_id=run_id, worker=worker_id)
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE)
            else:
                return


def _yield_to_people(child: asyncio.subprocess.Process) -> None:
    """Where both want the processor, the process that answers people comes before the one that works."""
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, child.pid, WORKER_NICENESS)


def _signal(child: asyncio.subprocess.Process, which: signal.Signals) -> None:
    """To the worker; a SIGKILL also to whatever it started, which lives in its process group."""
    with contextlib.suppress(ProcessLookupError):
        if which is signal.SIGKILL:
            os.killpg(child.pid, which)
        else:
            child.send_signal(which)


def become_worker(settings: Settings) -> Never:
    """Turn this process into one worker, which is nobody's child but that of who started us."""
    sys.stdout.flush()
    os.execve(sys.executable, COMMAND, worker_environment(settings))  # noqa: S606  (no shell is wanted)
