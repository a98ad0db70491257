"""Background tasks with an owner: what is still to do once a request was acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from bot.core.errors import CrewdeckError

log = structlog.get_logger(__name__)

T = TypeVar("T")


class BackgroundTasks:
    """Running tasks. None is garbage-collected, none fails unnoticed, and all end with `drain`."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run it from now on; `name` appears in the log."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, timeout_s: float) -> None:
        """Wait for running tasks, then cancel those that are left."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=timeout_s)
        left = tuple(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, CrewdeckError):
            log.warning("a background task was given up", task=task.get_name(), why=str(error))
        elif error is not None:
            log.error("a background task failed", task=task.get_name(), exc_info=error)
