"""When a worker claims no more runs: after enough of them, when its code was edited or its threads hang.

Where somebody starts successors (the lifeline), the next worker is running before this one retires.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.processes.worker_process import Lifeline
from bot.settings import Settings
from crews.worker.edits import Edits

log = structlog.get_logger(__name__)


class Retirement:
    """How many runs one worker claims in its life. Used on the control loop only."""

    def __init__(
        self,
        settings: Settings,
        edits: Edits,
        lifeline: Lifeline | None,
        unless_stopped: Callable[[asyncio.Task[bool]], Awaitable[bool]],
    ) -> None:
        """`unless_stopped` waits for a task; False if the worker was stopped meanwhile."""
        self._settings = settings
        self._edits = edits
        self._lifeline = lifeline
        self._unless_stopped = unless_stopped
        self._claimed = 0
        #: How many runs it claims in its life, at most.
        self._most = settings.recycle_after if lifeline else 2 * settings.recycle_after
        #: How many runs that are over may still have threads before it is replaced.
        self._max_leaked_threads = settings.leaked_threads

    @property
    def left(self) -> int:
        """How many runs more it claims."""
        return self._most - self._claimed

    def count_claim(self) -> None:
        """It has claimed one more run."""
        self._claimed += 1

    async def is_due(self, *, holds_runs: bool, leaked_threads: int) -> bool:
        """Whether it has executed enough runs, and others claim from now on.

        Where nobody starts a successor before this process has ended, it goes on until it holds nothing, or
        has executed twice as many: what waits in the queue would have to wait for the last run that it holds.
        """
        if leaked_threads >= self._max_leaked_threads:
            return await self._is_replaced()
        if self._edits.outdated:
            return not holds_runs if self._lifeline is None else await self._may_retire(self._lifeline)
        if self._edits.has_broken_crews:  # It isn't recycled: nobody else can run what it runs.
            self._most = max(self._most, self._claimed + self._settings.recycle_after)
        if self._lifeline is None or self._settings.alone:
            enough = self._claimed >= self._settings.recycle_after
            return self.left <= 0 or (enough and not holds_runs)
        if self._claimed < max(self._most, self._settings.recycle_after):
            return False
        retires = await self._may_retire(self._lifeline)
        if not retires:
            self._most += self._settings.recycle_after
        return retires

    async def _is_replaced(self) -> bool:
        """Whether another worker is to take over from one that has too many threads of runs that are over."""
        log.error(
            "tools hang in runs that are over; this worker is to be replaced", runs=self._max_leaked_threads
        )
        if self._lifeline is None or self._settings.alone:
            return True
        self._max_leaked_threads += self._settings.leaked_threads
        return await self._may_retire(self._lifeline)

    async def _may_retire(self, lifeline: Lifeline) -> bool:
        """Whether its successor has been started, or it was stopped meanwhile."""
        asking = asyncio.create_task(lifeline.may_retire())
        if not await self._unless_stopped(asking):
            asking.cancel()
            return True
        return asking.result()
