"""The session of a run at this worker: its claim, journal, lease and clocks, and when and why it leaves."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from bot.core import ids
from bot.core.events.event import Body
from bot.core.files import StoredFile
from bot.core.people.actor import Actor
from bot.core.ports.journal import FORMAT_ENTRY
from bot.core.questions.question import Question
from bot.core.runs.run import Claim, RunError
from crews.definitions.definition import Limits
from crews.journal.journal import CALLS_ENTRY, FORMAT, Journal
from crews.journal.writer import Writer
from crews.run.activity import Activity
from crews.run.exits import Released, RunExit, Stopped
from crews.run.folder import RunFolder, temporary
from crews.run.identity import RunIdentity
from crews.run.lease import Lease
from crews.run.parking import Parking, ResidentRuns
from crews.run.pending_work import PendingWork
from crews.run.stopwatch import Stopwatch
from crews.run.store_proxy import StoreProxy
from crews.run.threads import Threads

POLL_INTERVAL_S = 0.1
"""Seconds between two checks whether a waiting step has to end."""


@dataclass(frozen=True)
class RunHistory:
    """What earlier workers recorded of a run."""

    journal: Journal = field(default_factory=Journal)
    #: The questions that were put to people, by their ids.
    asked: Mapping[str, Question] = field(default_factory=dict)
    #: Its files that are stored.
    files: tuple[StoredFile, ...] = ()


class RunSession:
    """One run at this worker. Its methods may be called from any thread."""

    def __init__(
        self,
        claim: Claim,
        limits: Limits,
        store: StoreProxy,
        history: RunHistory | None = None,
        resident: ResidentRuns | None = None,
        lease: Lease | None = None,
        folder: RunFolder | None = None,
    ) -> None:
        self.claim = claim
        #: Its working folder; made when it is first wanted.
        self.folder = folder or temporary().of(claim.run.id)
        self._store = store
        self.loop = loop = asyncio.get_running_loop()
        self.limits = limits
        #: Known once the crew is built.
        self.identity = RunIdentity(claim.run.id)
        self.history = history or RunHistory()
        #: Records what the run does, while it goes on.
        self.writer = Writer(claim, store, self.stop, self.folder.to_portable)
        if not self.history.journal.begun:
            self.writer.write(FORMAT_ENTRY, str(FORMAT))
            self.writer.write(CALLS_ENTRY, json.dumps("given"))
        #: What it waits for, and what is done beside its crew.
        self.pending = PendingWork(loop, self.check, self.stop)
        #: Its steps and branches of execution that are under way.
        self.activity = Activity(self.writer)
        self.stopwatch = Stopwatch(loop, limits.time, self._out_of_time, claim.run.worked / 1000)
        #: Whether the run is still this worker's.
        self.lease = lease or Lease()
        self.lease.worked = self.stopwatch.worked
        #: Done at the run's first step: its start is over, and holds up no other.
        self.started: asyncio.Future[None] = loop.create_future()
        #: Whether it is time to leave memory, while people are asked.
        resident = resident or ResidentRuns()
        self.parking = Parking(loop, resident, self._idle, self.leave, lambda: store.free_slot(claim))
        #: The threads in which its crew is built and executed.
        self.threads = Threads(f"run {ids.short(claim.run.id)}")
        #: Done once the run is to leave.
        self.leaving: asyncio.Future[None] = loop.create_future()
        self._lock = threading.Lock()
        self._stopped: RunExit | None = None
        self._releasing = False
        #: Requests for a slot since the run was answered; each says whether the run has one.
        self._slots: set[Future[bool]] = set()

    @property
    def run_id(self) -> str:
        return self.claim.run.id

    @property
    def crew_id(self) -> str:
        return ids.part_id(self.run_id, "crew")

    @property
    def worked(self) -> int:
        """Milliseconds of working time, also of earlier workers."""
        return round(self.stopwatch.worked() * 1000)

    def mark_started(self) -> None:
        """The run has started: it does not count as a start that blocks others any more."""
        if not self.started.done():
            self.loop.call_soon_threadsafe(_finish, self.started)

    def before_step(self) -> None:
        """Called before each step, for which the run needs its slot. Blocks its thread meanwhile.

        Raises RunExit if the run has to leave or the worker stops.
        """
        self.wait_for_slot_in_thread()
        self.check()
        if self._releasing:
            raise self.leave(Released())
        self.mark_started()
        self.activity.touch()

    # ── leaving ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def stopped(self) -> RunExit | None:
        """Why the run has to leave; None while it doesn't."""
        return self._stopped

    def check(self) -> None:
        """Raise RunExit if the run has to leave at once."""
        if self._stopped is not None:
            raise self._stopped.copy()

    def stop(self, error: RunError | None = None) -> RunExit:
        """End the run, with `error` or because it is over. Returns the exception to raise."""
        return self.leave(Stopped(error))

    def leave(self, why: RunExit) -> RunExit:
        """Make the run leave this worker; the first call decides why. Returns the exception to raise."""
        with self._lock:
            first = self._stopped is None
            reason = self._stopped = self._stopped or why
        if first:
            self.loop.call_soon_threadsafe(self._interrupt)
        return reason.copy()

    def release(self) -> None:
        """The worker stops: leave at the next step, or at once if the run waits. On its loop."""
        self._releasing = True
        if self._slots:
            self.leave(Released())
        else:
            self.parking.park_soon()

    def cancel(self, by: Actor) -> None:
        """Cancel the run for somebody who may do so. Blocks its thread. Raises RunExit if they may."""
        if self.pending.wait_in_thread(self._store.cancel(self.run_id, by)):
            raise self.stop()

    def check_lease(self) -> None:
        """Return once it is certain that the run is still leased. Raises RunExit if it isn't."""
        while not self.lease.is_certain(POLL_INTERVAL_S):
            self.check()
        if self.lease.lost:
            raise self.stop()

    def _interrupt(self) -> None:
        self.pending.interrupt()
        for slot in tuple(self._slots):
            slot.cancel()
        self.stopwatch.close()
        self.parking.close()
        _finish(self.leaving)

    def _out_of_time(self) -> None:
        limit = _duration_words(self.limits.time or 0)
        self.stop(
            RunError(code="limit_time", message=f"Stopped: the crew worked more than {limit}, its limit.")
        )

    def _idle(self) -> float | None:
        # A run that is given back leaves before its next step anyway.
        return None if self._slots else self.activity.idle(steps_only=self._releasing)

    # ── slots ───────────────────────────────────────────────────────────────────────────────────────────

    def resume(self) -> None:
        """The run was answered: it needs a slot from its next step on. Without one it leaves. On its loop."""
        if self._stopped is None:
            slot = self._store.resume(self.claim)
            self._slots.add(slot)
            slot.add_done_callback(self._resumed)

    def _resumed(self, slot: Future[bool]) -> None:
        if not slot.cancelled() and not slot.result():
            self.leave(Released())
        self._slots.discard(slot)

    def wait_for_slot_in_thread(self) -> None:
        """Return once the run, if it was answered, has its slot. Blocks its thread. Raises RunExit."""
        if self._slots:
            self.pending.wait_in_thread(self._slot())
            self.check()

    async def wait_for_slot(self) -> None:
        """As `wait_for_slot_in_thread`, for code that must not block. From any loop. Raises RunExit."""
        if self._slots:
            await self.pending.wait(self._slot())

    async def slot_decided(self) -> None:
        """Return once it is known whether the run, if it was answered, has a slot. On its loop."""
        if self._slots:
            await asyncio.wait([asyncio.wrap_future(slot) for slot in tuple(self._slots)])

    async def _slot(self) -> None:
        with self.stopwatch.paused():
            await asyncio.gather(*map(asyncio.wrap_future, tuple(self._slots)))

    # ── recording ───────────────────────────────────────────────────────────────────────────────────────

    async def record_event(self, event: Body, key: str) -> None:
        """Record an event, once, after all that led to it. Raises Fenced."""
        self.writer.record(event, key)
        await self.writer.flushed()

    def record_event_in_thread(self, event: Body, key: str) -> None:
        """As `record_event`, from one of the run's threads, which it blocks. Raises RunExit."""
        self.pending.wait_in_thread(self.record_event(event, key))

    def put_if_absent_in_thread(self, name: str, value: str) -> Any:  # noqa: ANN401 - JSON
        """Put a JSON value into the journal unless one is there; returns what is there. Blocks its thread."""
        kept = self.pending.wait_in_thread(
            self._store.put_if_absent(self.claim, name, self.folder.to_portable(value))
        )
        return json.loads(self.folder.to_local(kept))

    def record_executed(self, question_id: str, call: str, result: str) -> None:
        """Record that an approved call was made, once its result is written. Blocks its thread."""
        self.pending.wait_in_thread(self._executed(question_id, call, result))

    async def _executed(self, question_id: str, call: str, result: str) -> None:
        await self.writer.flushed()
        await self._store.record_executed(self.claim, question_id, call, result)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _duration_words(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (left, "s")) if n]
    return " ".join(parts)
