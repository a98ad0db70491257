"""Work on a run's loop: what the run waits for, and what is done beside its crew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bot.core.ports.queue import Fenced
from crews.run.exits import RunExit

T = TypeVar("T")


class PendingWork:
    """The pending work of one run. What the run waits for ends at once when the run leaves."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, check: Callable[[], None], stop: Callable[[], object]
    ) -> None:
        """`check` raises RunExit if the run has to leave; `stop` ends the run, which is another worker's."""
        self._loop = loop
        self._check = check
        self._stop = stop
        self._waits: set[asyncio.Task[Any]] = set()
        self._background: set[asyncio.Task[None]] = set()

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something slow, from any loop, that ends at once when the run leaves. Raises RunExit."""
        if asyncio.get_running_loop() is self._loop:
            return await self._wait(work)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._wait(work), self._loop))

    def wait_in_thread(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for code that can't await: it blocks its thread, which must be one of the run's."""
        return asyncio.run_coroutine_threadsafe(self._wait(work), self._loop).result()

    def interrupt(self) -> None:
        """End all that the run waits for: it leaves. On its loop."""
        for wait in tuple(self._waits):
            wait.cancel()

    def start_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something that the crew need not wait for; it ends before the run does. On its loop."""
        task = asyncio.create_task(self._unless_fenced(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def wait_background(self) -> None:
        """Return when all background work has ended."""
        await asyncio.gather(*self._background)

    async def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            self._check()
        except RunExit:
            work.close()
            raise
        task = asyncio.create_task(work)
        self._waits.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            self._check()
            raise
        finally:
            self._waits.discard(task)

    async def _unless_fenced(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Fenced:
            self._stop()
