"""A process of its own for a run of which two workers died: should it kill this, nothing else is in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import Store
from bot.settings import Settings, worker_environment
from bot.store.clock import QUARANTINED

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-m", "crews", "worker")
LOOK_EVERY = 1.0
TRIED_AGAIN = 60.0
"""Seconds after which another worker tries a suspect that is still queued: who took it on failed to."""
LAST_WORDS = 2.0
"""Seconds beyond `settings.drain` in which it gives back what it still holds."""
STORE_PAUSE = 0.5
ALONE = {"CREWDECK_ALONE": "1", "CREWDECK_RUNS_PER_WORKER": "1", "CREWDECK_HOT_WINDOW": "0"}
"""What makes a worker one for suspects: it takes one after the other, and ends when there is none."""


class Isolation:
    """Starts such a process when a suspect is queued, one at a time."""

    def __init__(self, settings: Settings, store: Store, worker: str, stopping: asyncio.Event) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._stopping = stopping

    async def keep(self, crews: Sequence[str]) -> None:
        """Look after the suspects of these crews until the worker stops."""
        while not self._stopping.is_set():
            try:
                mine = await self._mine(crews)
            except StoreUnavailable:
                mine = None
            if mine is None:
                await self._unless_stopped(asyncio.sleep(LOOK_EVERY))
            else:
                await self._try(mine)

    async def _mine(self, crews: Sequence[str]) -> str | None:
        """A suspect that is ours to try: of several workers one does."""
        for run_id in await self._store.suspects(crews):
            if await self._store.once(f"alone:{run_id}", TRIED_AGAIN):
                return run_id
        return None

    async def _try(self, run_id: str) -> None:
        worker = f"{self._worker}-alone-{uuid.uuid4().hex[:8]}"
        log.warning("a run of which two workers died gets a process of its own", run_id=run_id, worker=worker)
        try:
            process = await self._born(worker)
        except OSError as error:
            log.error("a process could not be started", run_id=run_id, reason=str(error))  # noqa: TRY400
            return
        try:
            if not await self._unless_stopped(process.wait()):
                _signal(process, signal.SIGTERM)
                await asyncio.wait(
                    {asyncio.ensure_future(process.wait())}, timeout=self._settings.drain + LAST_WORDS
                )
        finally:
            if process.returncode is None:
                _signal(process, signal.SIGKILL)
                await process.wait()
        log.info("its process ended", worker=worker, status=process.returncode)
        await self._abandon(worker)

    async def _born(self, worker: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            env=worker_environment(self._settings, worker) | ALONE,
            stdin=asyncio.subprocess.PIPE,  # bot/lifeline.py: it ends with us
            process_group=0,
        )

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, object]) -> bool:
        """Wait for this; False if we were stopped before."""
        tasks = {asyncio.create_task(waiting), asyncio.create_task(self._stopping.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        return not self._stopping.is_set()

    async def _abandon(self, worker: str) -> None:
        """What it held is counted as lost now, and not when its lease runs out."""
        while True:
            try:
                for run_id in await self._store.abandon(worker, QUARANTINED):
                    log.warning("a run has lost its worker", run_id=run_id, worker=worker)
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE)
            else:
                return


def _signal(process: asyncio.subprocess.Process, which: signal.Signals) -> None:
    """To it, and to whatever it started, which lives in its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, which)
