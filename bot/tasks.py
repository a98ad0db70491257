"""Tasks with an owner: scoped to a block, or kept until they end. None fails unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import structlog

from bot.core.errors import CrewdeckError

log = structlog.get_logger(__name__)

T = TypeVar("T")


@asynccontextmanager
async def run_alongside(*tasks: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these tasks during the block and cancel them at its end.

    If one of them fails, the block is cancelled, so that the process doesn't continue in part.
    """
    failure: CrewdeckError | None = None
    async with asyncio.TaskGroup() as group:
        started = [group.create_task(task) for task in tasks]
        try:
            yield
        except CrewdeckError as error:
            failure = error  # Re-raised below: not wrapped in an exception group.
        finally:
            for task in started:
                task.cancel()
    if failure is not None:
        raise failure


@contextmanager
def running_meanwhile(work: Coroutine[Any, Any, T]) -> Iterator[asyncio.Task[T]]:
    """Run this work during the block, which may wait for its result; cancel what still runs at its end.

    It doesn't wait for what it cancels: a coroutine that is thrown away with its loop can't.
    """
    task = asyncio.create_task(work)
    task.add_done_callback(_failure_of)  # Perhaps the block doesn't wait for it.
    try:
        yield task
    finally:
        task.cancel()


def _failure_of(task: asyncio.Task[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


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
        error = _failure_of(task)
        if isinstance(error, CrewdeckError):
            log.warning("a background task was given up", task=task.get_name(), why=str(error))
        elif error is not None:
            log.error("a background task failed", task=task.get_name(), exc_info=error)
