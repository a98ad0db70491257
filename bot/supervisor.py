"""The workers that `serve` has: so many, started again when they die, and stopped with us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
import uuid

import structlog

from bot.core.ports import Work
from bot.metrics import Metrics
from bot.settings import Settings, worker_environment
from bot.worker_process import WorkerProcess

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.5
WORKER_NICENESS = 5
LONGEST_PAUSE = 30.0
HEALTHY_AFTER = 30.0
"""Seconds of life after which a death counts as the first one again."""
SHORTEST_LIFE = 1.0
"""Seconds. A worker that ends sooner has not been recycled, whatever it says."""
LAST_WORDS = 2.5
"""Seconds beyond its drain in which a worker gives back what it still holds, and ends what it has started."""
LONGEST_GRACE = 7.5
"""Seconds that stopping workers get at most: all of `serve` is to be gone after 10."""
ABANDON_WITHIN = 1.0


class Supervisor:
    """Keeps `settings.workers` worker processes running."""

    def __init__(self, settings: Settings, store: Work, metrics: Metrics) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        #: Seconds. Workers know how long they really have: what they give back counts as no death.
        self._drain = min(settings.drain, LONGEST_GRACE - LAST_WORDS)
        self._workers: set[WorkerProcess] = set()
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
            self._end_at = time.monotonic() + self._drain + LAST_WORDS
            for worker in self._workers:
                worker.ask_to_stop()

    def kill(self) -> None:
        """End all workers at once, without asking."""
        for worker in self._workers:
            worker.kill()

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
        worker = await self._started()
        try:
            status = await worker.wait()
        except asyncio.CancelledError:
            await self._stopped(worker)
            await worker.abandon(self._store, ABANDON_WITHIN)
            raise
        finally:
            self._workers.discard(worker)
        await worker.abandon(self._store)
        return status

    async def _started(self) -> WorkerProcess:
        worker_id = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        environment = worker_environment(self._settings, worker_id) | {"CREWDECK_DRAIN": str(self._drain)}
        worker = await WorkerProcess.start(worker_id, environment)
        self._workers.add(worker)
        _yield_to_people(worker)
        return worker

    async def _stopped(self, worker: WorkerProcess) -> None:
        self.stop()
        await worker.ended(within=(self._end_at or 0) - time.monotonic())


def _yield_to_people(worker: WorkerProcess) -> None:
    """Where both want the processor, the process that answers people comes before the one that works."""
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, worker.pid, WORKER_NICENESS)
