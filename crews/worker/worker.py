"""The worker: claims runs, hands them to its engine, renews their leases, drains, is recycled.

Everything here runs on the control loop, in the main thread, which a blocked crew can't stop.
"""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.queue import Fenced
from bot.core.ports.store import Store
from bot.core.runs.run import Claim, RunError
from bot.core.wakeups import CANCELLED_TOPIC, Signal, Wakeups, queue_topic
from bot.processes import garbage_collector
from bot.processes.worker_process import Lifeline
from bot.settings import Settings
from bot.store.clock import run_clock
from bot.store.health import Outage
from crews.crewai_adapter import platform_catalog
from crews.definitions.defined_crews import DefinedCrews
from crews.projects.offering import offer_of
from crews.run.folder import Folders
from crews.run.lease import Lease
from crews.run.store_proxy import StoreProxy
from crews.worker.edits import Edits
from crews.worker.engine import Engine, EngineEnded
from crews.worker.isolation import Isolation
from crews.worker.registration import Registration
from crews.worker.retirement import Retirement
from crews.worker.slots import Slots
from crews.worker.start_rate import StartRate

if TYPE_CHECKING:
    from crews.building.offer import Offer

log = structlog.get_logger(__name__)

POLL_INTERVAL_S = 1.0
"""Seconds after which the queue is looked at although nothing woke us."""
CLAIM_BATCH_SIZE = 8
"""Runs taken with one claim, so that several workers share a burst."""
STORE_RETRY_S = 1.0
RELEASE_TIMEOUT_S = 1.5
"""Seconds for giving back what is still held when the time to drain is up."""

BROKEN = RunError(
    code="internal", message="Crewdeck itself failed while it ran this. The worker's log has the details."
)


@dataclass(frozen=True)
class LeasedRun:
    """A run that this worker holds the lease of, and its execution."""

    claim: Claim
    lease: Lease
    execution: asyncio.Task[None]


def load(settings: Settings, known: DefinedCrews) -> Offer:
    """The crews of the worker's project, or else those that are known. The first time this imports crewai."""
    if settings.project is not None:
        return offer_of(settings.project, settings)
    platform_catalog.drop_tools()
    from crews.building.loading import offer  # crewai

    return offer(known, settings)


class Worker:
    """One worker process."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        wakeups: Wakeups,
        known: DefinedCrews,
        lifeline: Lifeline | None = None,
    ) -> None:
        """`lifeline`: to the process that started this worker and starts its successor, if there is one."""
        self._settings = settings
        self._store = store
        self._wakeups = wakeups
        self._id = settings.worker_id or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._outage = Outage()
        self._registration = Registration(settings, store, self._id, known.cards(), self._outage)
        self._slots = Slots(store.queue, self._id, settings.lease, settings.working)
        proxy = StoreProxy(asyncio.get_running_loop(), store, wakeups, self._slots)
        self._engine = Engine(
            partial(load, settings, known),
            proxy,
            settings.hot_window,
            settings.hot_runs,
            settings.build_timeout,
            Folders(settings.data_dir / "runs"),
        )
        self._start_rate = StartRate(settings.starts_per_second, CLAIM_BATCH_SIZE)
        self._held: dict[str, LeasedRun] = {}
        self._stopping = asyncio.Event()
        self._broken = False
        #: Of the crews that it claims runs of; changed in place.
        self._names: list[str] = []
        self._edits = Edits(settings, self._use_edited)
        self._retirement = Retirement(settings, self._edits, lifeline, self._unless_stopped)

    @property
    def outdated(self) -> bool:
        """Whether the code of its crews was edited, so that another process has to run them."""
        return self._edits.outdated

    def stop(self) -> None:
        """Claim no more runs; those that are held get `settings.drain` seconds."""
        log.info("stopping", worker=self._id, held=len(self._held))
        self._stopping.set()

    async def run(self) -> bool:
        """Work until stopped, or until it is time to be recycled. False if the worker itself broke."""
        async with asyncio.TaskGroup() as group:
            chores = (
                self._wakeups.follow(self._store.events),
                run_clock(self._store.clock),
                self._registration.announce(),
                self._keep_leases(),
                self._slots.keep_places(),
                self._slots.share(),
            )
            tasks = [group.create_task(chore) for chore in chores]
            try:
                await self._live(group)
            finally:
                for task in (*tasks, *(held.execution for held in self._held.values())):
                    task.cancel()
        return not self._broken

    async def _live(self, group: asyncio.TaskGroup) -> None:
        if not self._settings.alone:
            await self._edits.begin()
        loading = asyncio.create_task(self._engine.start())
        if not await self._unless_stopped(loading):
            return
        offer = await loading
        self._use(offer)
        garbage_collector.freeze()
        log.info("ready", worker=self._id, crews=self._names)
        with suppress(StoreUnavailable):  # The next heartbeat reports it.
            await self._register()
        watching = group.create_task(self._watch())
        following = group.create_task(self._edits.follow(offer))
        isolation = Isolation(self._settings, self._store, self._id, self._stopping)
        isolating = None if self._settings.alone else group.create_task(isolation.keep(self._names))
        await self._claim(self._names)
        self._registration.retire()
        following.cancel()
        await self._drain()
        watching.cancel()
        if isolating is not None:
            self._stopping.set()
            await asyncio.wait({isolating})

    def _use(self, offer: Offer) -> None:
        """Offer these crews from now on."""
        limits = {name: blueprint.limits.runs for name, blueprint in offer.crews.items()}
        self._slots.limits = {name: most for name, most in limits.items() if most is not None}
        cards = [blueprint.card() for blueprint in offer.crews.values()]
        self._registration.loaded(cards, limits, offer.problems)
        self._names[:] = sorted(offer.crews)

    def _use_edited(self, offer: Offer) -> None:
        self._engine.replace(offer.crews)
        self._use(offer)

    async def _unless_stopped(self, *tasks: asyncio.Task[Any]) -> bool:
        """Wait for one of these tasks; False if we were stopped meanwhile."""
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        return not self._stopping.is_set()

    async def _watch(self) -> None:
        """Stop at once if the engine has ended: give leased runs back, and claim none."""
        await self._engine.ended()
        log.critical("the crews' thread has ended; what is held is given back", held=len(self._held))
        self._broken = True
        self._stopping.set()

    # ── claims ──────────────────────────────────────────────────────────────────────────────────────────

    async def _claim(self, names: list[str]) -> None:
        topics = [queue_topic(shard) for shard in range(self._store.queue.shards)]
        with self._wakeups.watch(*topics) as queued:
            self._slots.on_room = lambda: queued.set(())
            while not self._stopping.is_set() and not await self._retires():
                queued.clear()
                room = self._slots.reserve(self._room())
                since = time.monotonic()
                taken = await self._taken(names, room) if room else []
                self._slots.begin(taken, room)
                self._start_rate.consume(len(taken))
                for claim in taken:
                    self._start(claim, Lease(since + self._settings.lease), queued)
                if self._settings.alone and not self._held:
                    return
                if not room or len(taken) < room:
                    waiting = asyncio.create_task(
                        queued.wait(min(POLL_INTERVAL_S, self._start_rate.delay() or POLL_INTERVAL_S))
                    )
                    await self._unless_stopped(waiting)
                    waiting.cancel()

    async def _retires(self) -> bool:
        return await self._retirement.is_due(
            holds_runs=bool(self._held), leaked_threads=self._engine.leaked_threads
        )

    def _room(self) -> int:
        return max(0, min(self._unheld, self._retirement.left, self._start_rate.available()))

    @property
    def _unheld(self) -> int:
        """How many runs more it may hold."""
        return self._settings.runs_per_worker - len(self._held)

    async def _taken(self, names: list[str], room: int) -> list[Claim]:
        try:
            claims = await self._store.queue.claim(
                self._id,
                names,
                room,
                self._settings.lease,
                most=self._slots.limits,
                isolated=self._settings.alone,
            )
        except StoreUnavailable as error:
            self._outage.began(error)
            return []
        self._outage.ended()
        return [claim for claim in claims if not self._has(claim)]

    def _has(self, claim: Claim) -> bool:
        """Whether this very claim is held: its answer was lost, and it came again."""
        held = self._held.get(claim.run.id)
        return held is not None and held.claim.epoch >= claim.epoch

    def _start(self, claim: Claim, lease: Lease, queued: Signal) -> None:
        self._retirement.count_claim()
        log.info("claimed", run_id=claim.run.id, crew=claim.run.crew.name, epoch=claim.epoch)
        earlier = self._held.get(claim.run.id)
        if earlier is not None:
            self._engine.stop(claim.run.id)
        execution = asyncio.create_task(self._execute(claim, lease, earlier))
        self._held[claim.run.id] = LeasedRun(claim, lease, execution)
        execution.add_done_callback(lambda _: queued.set(()))

    async def _execute(self, claim: Claim, lease: Lease, earlier: LeasedRun | None) -> None:
        try:
            if earlier is not None:  # This worker has just released or lost the run, and claimed it again.
                await asyncio.wait({earlier.execution})
            await self._engine.execute(claim, lease)
            log.info("done", run_id=claim.run.id)
        except EngineEnded:
            with suppress(StoreUnavailable):  # Then its lease expires.
                await self._release(claim)
        except Exception:
            log.exception("the worker failed to execute a run", run_id=claim.run.id)
            await self._fail(claim)
        finally:
            self._slots.free_slot(claim)
            if self._held[claim.run.id].claim is claim:
                del self._held[claim.run.id]

    async def _fail(self, claim: Claim) -> None:
        try:
            await self._store.queue.finish(claim, error=BROKEN)
        except (StoreUnavailable, Fenced):
            log.warning("a run's failure could not be recorded", run_id=claim.run.id, code=BROKEN.code)

    # ── leases ──────────────────────────────────────────────────────────────────────────────────────────

    async def _keep_leases(self) -> None:
        # The first heartbeat makes the worker visible; its crews are announced before that.
        await self._registration.announced.wait()
        with self._wakeups.watch(CANCELLED_TOPIC) as woken:
            while True:
                woken.clear()
                try:
                    await self._renew_leases()
                    await self._slots.renew()
                    await self._register()
                except StoreUnavailable as error:
                    self._outage.began(error)
                    await asyncio.sleep(min(STORE_RETRY_S, self._settings.lease / 3))
                else:
                    await woken.wait(self._settings.lease / 3)

    async def _register(self) -> None:
        await self._registration.renew(min(self._slots.room, self._unheld))

    async def _renew_leases(self) -> None:
        """Renew all leases. A run whose lease is lost ends at its next step, or at once if it waits."""
        held, since, seconds = list(self._held.values()), time.monotonic(), self._settings.lease
        worked = {each.claim.run.id: round(each.lease.worked() * 1000) for each in held}
        lost = await self._store.queue.heartbeat(self._id, [each.claim for each in held], seconds, worked)
        for each in held:
            if each.claim.run.id not in lost:
                each.lease.renew(since + seconds)
                continue
            each.lease.mark_lost()
            if self._held.get(each.claim.run.id) is each:
                self._engine.stop(each.claim.run.id)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    async def _drain(self) -> None:
        """Wait for the leased runs. Once the worker is stopped, they have `settings.drain` seconds to leave.

        Runs that wait are parked, the others go back to the queue before their next step.
        """
        while self._held and not self._stopping.is_set():
            await self._unless_stopped(*self._executions())
        if self._held and not self._broken:
            self._engine.release_runs()
            await asyncio.wait(self._executions(), timeout=self._settings.drain)
        if self._held:
            await self._give_back()

    def _executions(self) -> list[asyncio.Task[None]]:
        return [held.execution for held in self._held.values()]

    async def _give_back(self) -> None:
        """Give back the runs that didn't leave in time; their current step is repeated by the next worker."""
        held = list(self._held.values())
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                for each in held:
                    await self._release(each.claim)
        except (StoreUnavailable, TimeoutError):
            log.warning("runs could not be given back; their leases will expire", runs=len(held))
        for each in held:
            if not self._broken:
                self._engine.stop(each.claim.run.id)

    async def _release(self, claim: Claim) -> None:
        try:
            await self._store.queue.release(claim)
        except Fenced:
            return  # The run has already left this worker.
        log.warning("a run was given back during a step, because the worker stops", run_id=claim.run.id)
