"""Executes a flow's methods, each in a thread of its own, which may block.

CrewAI gives a flow's methods a few threads in all, and awaits coroutines on the flow's loop. Those that hold
their thread while they wait for people (`ask`, `kickoff` instead of `akickoff`) would keep the others from
being called.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - methods return anything
import asyncio
import contextlib
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from crews.run.threads import Raised, Threads


async def in_thread(threads: Threads, call: Callable[[], Any]) -> Any:
    """The result of `call`. A coroutine runs on a loop of its own, and is cancelled with this one."""
    work = _CancellableCall(call)
    try:
        outcome = await threads.start(work.run, contextvars.copy_context())
    except asyncio.CancelledError:
        work.cancel()
        raise
    if isinstance(outcome, Raised):
        raise outcome.error
    return outcome.result


class _CancellableCall:
    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._cancelled = False
        self._task: asyncio.Task[Any] | None = None

    def run(self) -> Any:
        result = self._call()
        if not inspect.isawaitable(result):
            return result
        with asyncio.Runner() as runner:
            return runner.run(self._awaited(result))

    async def _awaited(self, result: Awaitable[Any]) -> Any:
        self._task = asyncio.current_task()
        if self._cancelled:
            raise asyncio.CancelledError
        return await result

    def cancel(self) -> None:
        self._cancelled = True
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the thread has ended
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
