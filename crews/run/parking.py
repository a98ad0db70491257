"""When a run that waits for people leaves its worker's memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crews.run.exits import Parked

QUIET_S = 0.25
"""Seconds after which a run that waits, and in which nothing is under way, does nothing else."""


class ResidentRuns:
    """The waiting runs in one worker's memory. Used on the engine's loop only."""

    def __init__(self, window: float = 60.0, most: int = 100) -> None:
        """`window`: seconds after which a run leaves. Beyond `most` the ones that waited longest do."""
        self.window = window
        self._most = most
        #: In the order in which they began to wait.
        self._waiting: dict[Parking, None] = {}

    def add(self, run: Parking) -> None:
        """The run only waits from now on."""
        self._waiting[run] = None
        while len(self._waiting) > self._most:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.park_soon()

    def remove(self, run: Parking) -> None:
        """The run continues, or leaves."""
        self._waiting.pop(run, None)


class Parking:
    """Decides when one run leaves memory. Used on its loop only."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        resident: ResidentRuns,
        idle: Callable[[], float | None],
        leave: Callable[[Parked], object],
        on_idle: Callable[[], None],
    ) -> None:
        """`idle`: for how many seconds nothing was under way; None while anything is.

        `on_idle` is called once the run waits and does nothing else. It goes on when one of its questions is
        settled.
        """
        self._loop = loop
        self._resident = resident
        self._window = resident.window
        self._idle = idle
        self._leave = leave
        self._on_idle = on_idle
        self._is_idle = False
        #: Since when each question is waited for.
        self._waits: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def waiting(self, question_id: str) -> Iterator[None]:
        """The run waits for this question while the block runs."""
        self._waits[question_id] = self._loop.time()
        self._check_in(min(QUIET_S, self._window))
        try:
            yield
        finally:
            del self._waits[question_id]
            self._not_idle()
            self._check_in(min(QUIET_S, self._window))

    def park_soon(self) -> None:
        """Leave as soon as nothing else is going on."""
        self._window = 0.0
        self._check_in(0.0)

    def close(self) -> None:
        """The run leaves."""
        self._not_idle()
        self._forget_timer()

    def _not_idle(self) -> None:
        self._is_idle = False
        self._resident.remove(self)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_in(self, seconds: float) -> None:
        self._forget_timer()
        if self._waits:
            self._timer = self._loop.call_later(seconds, self._check)

    def _check(self) -> None:
        idle = self._idle()
        waited = self._loop.time() - min(self._waits.values())
        if idle is None or idle < QUIET_S:
            self._check_in(QUIET_S - (idle or 0.0))
        elif waited >= self._window:
            self._leave(Parked(tuple(self._waits)))
        else:
            self._check_in(self._window - waited)
            if not self._is_idle:
                self._is_idle = True
                self._on_idle()
                self._resident.add(self)
