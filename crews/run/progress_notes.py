"""What a crew says of its progress (`crewdeck.progress`): the newest text wins, at a limited rate.

It is neither journalled nor waited for, and never fails the crew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from bot.core.errors import CrewdeckError
from bot.core.events.event import RunProgress
from bot.core.ports.queue import Fenced
from bot.core.text import valid

if TYPE_CHECKING:  # They import crewai.
    from crews.run.session import RunSession
    from crews.run.store_proxy import StoreProxy

log = structlog.get_logger(__name__)

MAX_LENGTH = 300
INTERVAL_S = 1.0
"""Seconds between two recorded texts, at least."""
PER_SECOND = 60
"""After so many recorded texts the interval is a second longer, so that a long run has no endless list."""


def cleaned(text: str) -> str:
    """One line of at most MAX_LENGTH characters."""
    line = " ".join(valid(text).split())
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 1]}…"


class ProgressNotes:
    """The progress of one run. `add` is thread-safe; everything else happens on the run's loop."""

    def __init__(
        self, run: RunSession, store: StoreProxy, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = run
        self._store = store
        self._clock = clock
        self._newest: RunProgress | None = None
        self._recorded = 0
        self._recorded_at = float("-inf")
        self._scheduled = False
        self._recording: asyncio.Task[None] | None = None

    def add(self, text: str) -> None:
        """Show this in place of the earlier text. Returns at once."""
        task = self._run.identity.task(None)
        body = RunProgress(
            crew_id=self._run.crew_id, task_id=task.id if task is not None else None, text=cleaned(text)
        )
        with suppress(RuntimeError):  # The worker has stopped.
            self._run.loop.call_soon_threadsafe(self._put, body)

    @property
    def interval_s(self) -> float:
        """Seconds between the last recorded text and the next one."""
        return INTERVAL_S * max(1.0, self._recorded / PER_SECOND)

    def _put(self, body: RunProgress) -> None:
        self._newest = body
        if not self._scheduled and self._run.stopped is None:
            self._scheduled = True
            wait = max(0.0, self._recorded_at + self.interval_s - self._clock())
            self._run.loop.call_later(wait, self._begin)

    def _begin(self) -> None:
        self._recording = self._run.loop.create_task(self._record())

    async def _record(self) -> None:
        body, self._newest = self._newest, None
        self._recorded_at = self._clock()
        self._recorded += 1
        try:
            if body is not None and self._run.stopped is None:
                key = f"{self._run.claim.epoch}/{self._recorded}"
                await self._store.record(self._run.claim, body, key)
        except Fenced:
            self._run.stop()
        except CrewdeckError as error:
            log.warning("progress can't be recorded", run_id=self._run.run_id, reason=str(error))
        finally:
            self._scheduled = False
            self._put_again()

    def _put_again(self) -> None:
        """Record the text that was added in the meantime."""
        if self._newest is not None:
            self._put(self._newest)
