"""The supervisor of the worker processes that `serve` starts: it restarts, recycles and stops them."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Sequence

import structlog

from bot.core.ports.queue import Queue
from bot.core.project import Project
from bot.metrics import Metrics
from bot.processes import priority
from bot.processes.project_problems import ProjectProblems
from bot.processes.worker_environment import worker_environment
from bot.processes.worker_process import WorkerProcess
from bot.settings import Settings

log = structlog.get_logger(__name__)

FIRST_RESTART_DELAY_S = 0.5
WORKER_NICENESS = 15
"""More than `serve` has: people wait for the web process, and crews mostly for their models.

Still more would leave a worker hardly any processor on a machine that is busy with something else.
"""
MAX_RESTART_DELAY_S = 30.0
HEALTHY_AFTER_S = 30.0
"""A worker that lived this long resets the restart delay."""
MIN_LIFETIME_S = 1.0
"""A worker that exits with status 0 sooner than this counts as crashed, not as recycled."""
SHUTDOWN_MARGIN_S = 2.5
"""Time beyond the drain in which a worker releases its runs and ends its subprocesses."""
MAX_GRACE_S = 7.5
"""The longest time that stopping workers get: all of `serve` has to end within 10 s."""
ABANDON_TIMEOUT_S = 1.0


class Supervisor:
    """Keeps `settings.workers` worker processes running, and as many for each project."""

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        metrics: Metrics,
        projects: Sequence[Project] = (),
        problems: ProjectProblems | None = None,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._metrics = metrics
        #: None: the crews of Crewdeck and of the operator's folders.
        self._projects: Sequence[Project | None] = (None, *projects)
        self._problems = problems
        #: Seconds. Workers get this value, so that they release runs in time and don't count as crashed.
        self._drain = min(settings.drain, MAX_GRACE_S - SHUTDOWN_MARGIN_S)
        self._workers: set[WorkerProcess] = set()
        #: Workers that claim no more runs and finish theirs; their successors are running already.
        self._retiring: set[WorkerProcess] = set()
        #: The deadline of stopping workers by the monotonic clock; None before they are asked to stop.
        self._end_at: float | None = None

    async def run(self) -> None:
        """Keep the workers running until cancelled; then stop them and queue the runs that they held."""
        async with asyncio.TaskGroup() as group:
            for project in self._projects:
                for _ in range(self._settings.workers):
                    group.create_task(self._keep_one(group, project))

    def stop(self) -> None:
        """Ask all workers to stop, and start none. `run` has to be cancelled afterwards."""
        if not self._stopping():
            self._end_at = time.monotonic() + self._drain + SHUTDOWN_MARGIN_S
            for worker in self._workers:
                worker.ask_to_stop()

    def kill(self) -> None:
        """Kill all workers at once."""
        for worker in self._workers:
            worker.kill()

    def _stopping(self) -> bool:
        return self._end_at is not None

    async def _keep_one(self, group: asyncio.TaskGroup, project: Project | None) -> None:
        """Keep one worker running that claims runs. Retired predecessors may still finish theirs."""
        pause = FIRST_RESTART_DELAY_S
        while not self._stopping():
            born = time.monotonic()
            if (worker := await self._started(project, pause)) is not None:
                life = group.create_task(self._live(worker))
                if await self._retires(worker, life) or self._stopping():
                    continue
                lived = time.monotonic() - born
                if life.result() == 0 and lived > MIN_LIFETIME_S:
                    continue  # The worker was recycled and had no runs left to finish.
                if lived >= HEALTHY_AFTER_S:
                    pause = FIRST_RESTART_DELAY_S
                self._metrics.worker_restarts.inc()
                log.error(
                    "A worker died and is started again",
                    status=life.result(),
                    in_seconds=pause,
                    **_named(project),
                )
                await self._report_death(project, life.result())
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_RESTART_DELAY_S)

    async def _started(self, project: Project | None, pause: float) -> WorkerProcess | None:
        """A new worker; None if none can be started now, which is logged and announced."""
        if project is not None and self._problems is not None and not await self._problems.none_of(project):
            return None
        try:
            return await self._start(project)
        except OSError as error:
            log.error(  # noqa: TRY400 - no fault of this code
                "A worker could not be started", reason=str(error), in_seconds=pause, **_named(project)
            )
            return None

    async def _report_death(self, project: Project | None, status: int) -> None:
        if project is not None and self._problems is not None:
            await self._problems.died(project, status)

    async def _retires(self, worker: WorkerProcess, life: asyncio.Task[int]) -> bool:
        """Wait until the worker may retire (True: start its successor now) or has ended (False).

        At most as many workers as configured retire at the same time, so there are at most twice as many
        processes.
        """
        while not life.done():
            asking = asyncio.create_task(worker.asks_to_retire())
            try:
                await asyncio.wait({asking, life}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asking.cancel()
            if asking.done() and not life.done():
                granted = len(self._retiring) < self._settings.workers * len(self._projects)
                worker.answer(granted=granted)
                if granted:
                    log.info(
                        "A worker is recycled: it finishes its runs, and another one starts", pid=worker.pid
                    )
                    self._retiring.add(worker)
                    return True
        return False

    async def _live(self, worker: WorkerProcess) -> int:
        """Wait for the worker's end; returns its exit status, negative for a signal."""
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

    async def _start(self, project: Project | None) -> WorkerProcess:
        worker_id = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        variables = worker_environment(self._settings, worker_id, project)
        worker = await WorkerProcess.start(
            worker_id, variables | {"CREWDECK_DRAIN": str(self._drain)}, project
        )
        self._workers.add(worker)
        priority.lower(worker.pid, WORKER_NICENESS)
        return worker

    async def _stopped(self, worker: WorkerProcess) -> None:
        self.stop()
        await worker.ended(within=(self._end_at or 0) - time.monotonic())


def _named(project: Project | None) -> dict[str, str]:
    return {"project": project.name} if project is not None else {}
