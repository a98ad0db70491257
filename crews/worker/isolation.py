"""Isolates a run that was in two workers that died: it is tried in a process of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from bot.core.errors import NotFound, StoreUnavailable
from bot.core.ports.store import Store
from bot.processes.worker_environment import worker_environment
from bot.processes.worker_process import WorkerProcess
from bot.settings import Settings

log = structlog.get_logger(__name__)

POLL_INTERVAL_S = 1.0
RETRY_AFTER_S = 30.0
"""Seconds after which another worker tries a suspect that is still queued: the first one failed to."""
SHUTDOWN_GRACE_S = 2.0
"""Seconds beyond `settings.drain` in which it gives back what it still holds; `serve` gives us some more."""
ABANDON_TIMEOUT_S = 1.0
ISOLATED_ENVIRONMENT = {"CREWDECK_ALONE": "1", "CREWDECK_RUNS_PER_WORKER": "1", "CREWDECK_HOT_WINDOW": "0"}
"""Makes a worker one for suspects: it takes one after the other, and ends when there is none."""


class Isolation:
    """Starts such a process when a suspect is queued, one at a time."""

    def __init__(self, settings: Settings, store: Store, worker: str, stopping: asyncio.Event) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._stopping = stopping

    async def keep(self, crews: Sequence[str]) -> None:
        """Try the suspected runs of these crews until the worker stops."""
        while not self._stopping.is_set():
            try:
                mine = await self._mine(crews)
            except StoreUnavailable:
                mine = None
            if mine is None:
                await self._unless_stopped(asyncio.sleep(POLL_INTERVAL_S))
            else:
                await self._try(mine)

    async def _mine(self, crews: Sequence[str]) -> str | None:
        """A suspected run that this worker tries: of several workers only one does."""
        for run_id in await self._store.queue.suspected(crews):
            if await self._is_mine(run_id):
                return run_id
        return None

    async def _is_mine(self, run_id: str) -> bool:
        try:
            run = await self._store.runs.get(run_id)
        except NotFound:  # It was deleted just now.
            return False
        # A run that the stopping process released has a new epoch: no need to wait.
        return await self._store.key_values.add(f"alone:{run_id}:{run.epoch}", RETRY_AFTER_S)

    async def _try(self, run_id: str) -> None:
        worker = f"{self._worker}-alone-{uuid.uuid4().hex[:8]}"
        log.warning("a run that crashed two workers gets a process of its own", run_id=run_id, worker=worker)
        try:
            process = await WorkerProcess.start(
                worker, worker_environment(self._settings, worker) | ISOLATED_ENVIRONMENT
            )
        except OSError as error:
            log.error("a process could not be started", run_id=run_id, reason=str(error))  # noqa: TRY400
            return
        try:
            await self._unless_stopped(process.wait())
        finally:
            status = await self._stopped(process)
        log.info("the process of an isolated run ended", worker=worker, status=status)
        await process.abandon(self._store.queue, ABANDON_TIMEOUT_S)

    async def _stopped(self, process: WorkerProcess) -> int:
        process.ask_to_stop()
        return await process.ended(within=self._settings.drain + SHUTDOWN_GRACE_S)

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, object]) -> None:
        """Wait for this, or until the worker is stopped."""
        tasks = {asyncio.create_task(waiting), asyncio.create_task(self._stopping.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
