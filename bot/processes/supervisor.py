"""The workers that `serve` has: so many, started again when they die, and stopped with us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
import uuid

import structlog

from bot.core.ports import Queue
from bot.metrics import Metrics
from bot.processes.worker_environment import worker_environment
from bot.processes.worker_process import WorkerProcess
from bot.settings import Settings

log = structlog.get_logger(__name__)

FIRST_RESTART_DELAY_S = 0.5
WORKER_NICENESS = 5
MAX_RESTART_DELAY_S = 30.0
HEALTHY_AFTER_S = 30.0
"""Seconds of life after which a death counts as the first one again."""
MIN_LIFETIME_S = 1.0
"""Seconds. A worker that ends sooner has not been recycled, whatever it says."""
SHUTDOWN_MARGIN_S = 2.5
"""Seconds beyond its drain in which a worker gives back what it still holds, and ends what it has started."""
MAX_GRACE_S = 7.5
"""Seconds that stopping workers get at most: all of `serve` is to be gone after 10."""
ABANDON_TIMEOUT_S = 1.0


class Supervisor:
    """Keeps `settings.workers` worker processes running."""

    def __init__(self, settings: Settings, queue: Queue, metrics: Metrics) -> None:
        self._settings = settings
        self._queue = queue
        self._metrics = metrics
        #: Seconds. Workers know how long they really have: what they give back counts as no death.
        self._drain = min(settings.drain, MAX_GRACE_S - SHUTDOWN_MARGIN_S)
        self._workers: set[WorkerProcess] = set()
        #: Those of them that claim no more and finish their runs, while their successors work already.
        self._retiring: set[WorkerProcess] = set()
        #: When stopping workers are ended, by the monotonic clock; none before they were asked to stop.
        self._end_at: float | None = None

    async def run(self) -> None:
        """Keep them running until cancelled; then they stop, and what they still held is queued again."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._settings.workers):
                group.create_task(self._keep_one(group))

    def stop(self) -> None:
        """Ask all workers to stop, and start no more. `run` has still to be cancelled."""
        if not self._stopping():
            self._end_at = time.monotonic() + self._drain + SHUTDOWN_MARGIN_S
            for worker in self._workers:
                worker.ask_to_stop()

    def kill(self) -> None:
        """End all workers at once, without asking."""
        for worker in self._workers:
            worker.kill()

    def _stopping(self) -> bool:
        return self._end_at is not None

    async def _keep_one(self, group: asyncio.TaskGroup) -> None:
        """One worker that claims runs, at any time. Those before it may have some to finish."""
        pause = FIRST_RESTART_DELAY_S
        while not self._stopping():
            born = time.monotonic()
            try:
                worker = await self._started()
            except OSError as error:
                log.error("A worker could not be started", reason=str(error), in_seconds=pause)  # noqa: TRY400
            else:
                life = group.create_task(self._live(worker))
                if await self._retires(worker, life) or self._stopping():
                    continue
                lived = time.monotonic() - born
                if life.result() == 0 and lived > MIN_LIFETIME_S:
                    continue  # It was recycled, with nothing left to finish.
                if lived >= HEALTHY_AFTER_S:
                    pause = FIRST_RESTART_DELAY_S
                self._metrics.worker_restarts.inc()
                log.error("A worker died and is started again", status=life.result(), in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_RESTART_DELAY_S)

    async def _retires(self, worker: WorkerProcess, life: asyncio.Task[int]) -> bool:
        """True when it is to be replaced now, while it finishes its runs; False once it has ended.

        As many may retire as there are workers, so that there are at most twice as many processes.
        """
        while not life.done():
            asking = asyncio.create_task(worker.asks_to_retire())
            try:
                await asyncio.wait({asking, life}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asking.cancel()
            if asking.done() and not life.done():
                granted = len(self._retiring) < self._settings.workers
                worker.answer(granted=granted)
                if granted:
                    log.info(
                        "A worker is recycled: it finishes its runs, and another one starts", pid=worker.pid
                    )
                    self._retiring.add(worker)
                    return True
        return False

    async def _live(self, worker: WorkerProcess) -> int:
        """A worker until its end; its exit status, negative for a signal."""
        try:
            status = await worker.wait()
        except asyncio.CancelledError:
            await self._stopped(worker)
            await worker.abandon(self._queue, ABANDON_TIMEOUT_S)
            raise
        finally:
            self._workers.discard(worker)
            retired = worker in self._retiring
            self._retiring.discard(worker)
        if status and retired:
            log.error("A worker died while it finished its runs", status=status, worker=worker.worker_id)
        await worker.abandon(self._queue)
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
