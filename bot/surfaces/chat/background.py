"""Tasks that somebody owns: what is still to do once Slack has its acknowledgement."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from bot.core.errors import CrewdeckError

log = structlog.get_logger(__name__)

T = TypeVar("T")


class BackgroundTasks:
    """Running tasks. None is lost to garbage collection, none fails unseen, all are ended at the end."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, errand: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run it from now on; `name` is what the log calls it."""
        task = asyncio.get_running_loop().create_task(errand, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, seconds: float) -> None:
        """Give what runs this long to end, then cancel the rest."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=seconds)
        left = tuple(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, CrewdeckError):
            log.warning("an errand was given up", errand=task.get_name(), why=str(error))
        elif error is not None:
            log.error("an errand failed", errand=task.get_name(), exc_info=error)
