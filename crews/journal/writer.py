"""Write-behind for what a run does: its steps and events are recorded while it continues, and its end last.

Before a visible effect, or one that must not happen twice, the run waits until everything is written.
All is written in order, so a run that is cut off only loses its newest steps.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from bot.core.events.event import Body
from bot.core.ports.journal import Change, NewEvent, Removal, announces
from bot.core.ports.queue import Fenced
from bot.core.runs.run import Claim, RunError

log = structlog.get_logger(__name__)
BATCH_DELAY_S = 0.02
"""Seconds in which more may gather, to be written together; nobody waits for them to pass."""


class JournalStore(Protocol):
    """The part of the store that a run is recorded in."""

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:
        """Record these changes in their order, all or none. Raises Fenced."""

    async def finish(
        self, claim: Claim, result: str | None, error: RunError | None, changes: Sequence[Change] = ()
    ) -> None:
        """Record these changes and the run's end, all or nothing. Raises Fenced."""

    def begin(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Run this on the store's loop. From any thread."""

    def call_later(self, seconds: float, call: Callable[[], object]) -> None:
        """Call this on the store's loop after so many seconds. From any thread."""


@dataclass(frozen=True)
class _End:
    """How the run ended."""

    result: str | None
    error: RunError | None


class Writer:
    """Writes what one run does in order, one transition after the other. Thread-safe."""

    def __init__(
        self,
        claim: Claim,
        store: JournalStore,
        stop: Callable[[], object],
        portable: Callable[[str], str] = str,
    ) -> None:
        """`stop` is called, from another thread, once nothing can be written any more.

        `portable` makes of a value what other workers can read.
        """
        self._portable = portable
        self._claim = claim
        self._store = store
        self._stop = stop
        self._lock = threading.Lock()
        #: Each has changes that belong together.
        self._entries: list[tuple[Change, ...]] = []
        self._end: _End | None = None
        #: How many entries were enqueued, and how many of them are written.
        self._enqueued = self._written = 0
        #: How many of the entries have to be written before a model is asked.
        self._last_urgent = 0
        #: How many entries that are no events are not written yet.
        self._steps = 0
        self._waiting: list[tuple[int, Future[None]]] = []
        self._writing: Future[None] | None = None
        self._due = False
        self._failure: BaseException | None = None

    @property
    def unwritten(self) -> int:
        """The number of entries that are not written yet."""
        with self._lock:
            return self._enqueued - self._written

    @property
    def unwritten_steps(self) -> int:
        """The same without events, which don't hold up a run that is ahead of the store."""
        with self._lock:
            return self._steps

    @property
    def has_urgent(self) -> bool:
        """Whether an entry of `write_at_once`, which can't be reproduced, is not written yet."""
        with self._lock:
            return self._written < self._last_urgent

    def write_at_once(self, name: str, value: str) -> None:
        """Record this without waiting for more entries. Returns at once."""
        self._add((name, self._portable(value)))
        with self._lock:
            self._last_urgent = self._enqueued
        self._begin()

    def write(self, name: str, value: str, deleted: Sequence[str] = ()) -> None:
        """Record this within BATCH_DELAY_S, then delete all whose names start so. Returns at once."""
        removed = (Removal(tuple(deleted)),) if deleted else ()
        self._add((name, self._portable(value)), *removed)
        with self._lock:
            self._soon()

    def record(self, event: Body, key: str) -> None:
        """Record an event, once, after all that led to it. Returns at once."""
        self._add(NewEvent(event, key))
        self._begin()

    def end(self, result: str | None, error: RunError | None) -> None:
        """End the run, after all that it did. Returns at once."""
        with self._lock:
            if self._failure is None:
                self._end = _End(result, error)
                self._enqueued += 1
        self._begin()

    def flush(self) -> None:
        """Return once everything is written. Blocks its thread. Raises Fenced."""
        if self.unwritten or self._failure:
            self._flushed().result()

    async def flushed(self) -> None:
        """As `flush`, for who can await."""
        if self.unwritten or self._failure:
            await asyncio.wrap_future(self._flushed())

    def _flushed(self) -> Future[None]:
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # A waiter that gives up can't cancel it.
        with self._lock:
            if self._failure is not None:
                done.set_exception(self._failure)
            elif self._written == self._enqueued:
                done.set_result(None)
            else:
                self._waiting.append((self._enqueued, done))
        self._begin()
        return done

    def _add(self, *changes: Change) -> None:
        with self._lock:
            if self._failure is None:
                self._entries.append(changes)
                self._enqueued += 1
                self._steps += _is_step(changes)

    def _soon(self) -> None:
        """Write in a moment, in which more may gather."""
        if self._writing is None and not self._due and self._entries:
            self._due = True
            self._store.call_later(BATCH_DELAY_S, self._begin)

    def _begin(self) -> None:
        with self._lock:
            self._due = False
            if self._writing is None and (self._entries or self._end):
                self._writing = self._store.begin(self._write_all())

    async def _write_all(self) -> None:
        try:
            while batch := self._next():
                entries, end = batch
                changes = [change for entry in entries for change in entry]
                if end is None:
                    await self._store.write(self._claim, changes)
                else:
                    await self._store.finish(self._claim, end.result, end.error, changes)
                self._done(len(entries) + (end is not None), sum(map(_is_step, entries)))
        except Fenced as error:
            self._fail(error)
        except BaseException as error:
            log.exception("the journal can't be written", run_id=self._claim.run.id)
            self._fail(error)
            raise

    def _next(self) -> tuple[list[tuple[Change, ...]], _End | None] | None:
        """The collected writes, with the run's end if it is among them.

        The end doesn't come with a step that is announced, which is written more durably than an end.
        """
        with self._lock:
            entries, self._entries = self._entries, []
            end = None if any(announces(entry[0]) for entry in entries) else self._end
            if not entries and end is None:
                self._writing = None
                return None
            self._end = None if end is not None else self._end
            return entries, end

    def _done(self, many: int, steps: int) -> None:
        with self._lock:
            self._written += many
            self._steps -= steps
            while self._waiting and self._waiting[0][0] <= self._written:
                self._waiting.pop(0)[1].set_result(None)

    def _fail(self, error: BaseException) -> None:
        self._stop()
        with self._lock:
            self._failure = error
            self._entries.clear()
            self._end = None
            self._written = self._enqueued
            self._steps = 0
            self._writing = None
            while self._waiting:
                self._waiting.pop(0)[1].set_exception(error)


def _is_step(entry: tuple[Change, ...]) -> bool:
    return not isinstance(entry[0], NewEvent)
