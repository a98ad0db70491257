"""Delivers the pending runs of an endpoint, each run's events in order and with retries.

Endpoints are those of the settings, and the addresses from the start of runs.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

import structlog
from pydantic import SecretStr

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.events.endpoints import PER_RUN_ENDPOINT, SURFACE, Endpoint, derived, surface_of
from bot.core.events.event import Event
from bot.core.ports.outbox import Outbox
from bot.core.ports.store import Runs, Store
from bot.core.ports.webhooks import EndpointState, Webhooks
from bot.core.wakeups import RECHECK_INTERVAL_S, Signal, Wakeups, outbox_topic
from bot.metrics import Counter
from bot.surfaces.webhooks.sending import DeliveryFailure, Sender

log = structlog.get_logger(__name__)


class Destination(Protocol):
    """The destination of a surface's events."""

    surface: str

    async def endpoint(self, run_id: str) -> Endpoint | None:
        """The endpoint for this run; None if it has none. Raises NotFound."""

    async def holder(self, run_id: str) -> str:
        """Whose receiver this run's events go to. Raises NotFound."""

    async def blocked(self) -> bool:
        """Whether deliveries are suspended."""

    async def handle_gone(self, why: str) -> bool:
        """Handle 410. True if the endpoint is disabled for all runs now, and the event is not given up."""


class ConfiguredEndpoint:
    """An endpoint of the settings, for all runs."""

    def __init__(self, endpoint: Endpoint, webhooks: Webhooks) -> None:
        self.surface = endpoint.surface
        self._endpoint = endpoint
        self._webhooks = webhooks

    async def endpoint(self, _: str) -> Endpoint:
        return self._endpoint

    async def holder(self, _: str) -> str:
        return self.surface

    async def blocked(self) -> bool:
        disabled = (await self._webhooks.disabled()).get(self.surface)
        return disabled is not None and disabled.fingerprint == self._endpoint.fingerprint

    async def handle_gone(self, why: str) -> bool:
        log.warning("An endpoint answered 410: it is disabled until an operator enables it", to=self.surface)
        await self._webhooks.disable(self.surface, why, self._endpoint.fingerprint)
        return True


class PerRunEndpoint:
    """The address from the run's start, signed with a secret that is derived for the requester."""

    surface = surface_of(PER_RUN_ENDPOINT)

    def __init__(self, runs: Runs, secrets: tuple[SecretStr, ...]) -> None:
        self._runs = runs
        self._secrets = secrets

    async def endpoint(self, run_id: str) -> Endpoint | None:
        run = await self._runs.get(run_id)
        secrets = tuple(derived(secret, run.requester.principal) for secret in self._secrets)
        for place in run.followers:
            if place.surface == self.surface:
                return Endpoint(name=PER_RUN_ENDPOINT, url=SecretStr(place.ref), secrets=secrets)
        return None

    async def holder(self, run_id: str) -> str:
        return (await self._runs.get(run_id)).requester.principal

    async def blocked(self) -> bool:
        return False

    async def handle_gone(self, _: str) -> bool:
        return False


PAGE_SIZE = 50
"""Events per read."""


HOUR_S = 3600.0
JITTER = 0.2
"""The random part of each delay, so that failed deliveries are not retried at the same moment."""


@dataclass(frozen=True)
class RetrySchedule:
    """Exponential backoff in seconds: 5 s, 15 s, 45 s, ... up to 4 h between attempts, for three days."""

    first: float = 5.0
    factor: float = 3.0
    longest: float = 4 * HOUR_S
    #: How long an event is retried, from its creation or the request to redeliver it.
    total: float = 72 * HOUR_S

    def wait(self, tries: int, age: float, chance: float, *, at_least: float = 0.0) -> float | None:
        """The delay after attempt number `tries` (from 1) of an event of this age; None: give it up.

        `chance` is a random number from 0 to 1. The last attempt takes place at the end of the retry period;
        `at_least` is the delay that the receiver asked for.
        """
        left = self.total - age
        if left <= 0:
            return None
        # The exponent is limited, because 3 ** 650 is too large for a float.
        plain = min(self.first * self.factor ** min(tries - 1, 50), self.longest)
        jittered = plain * (1 - JITTER + 2 * JITTER * chance)
        return min(max(jittered, min(at_least, self.longest)), left)


SLOW_S = 2.0
"""A receiver is slow if its last request took longer than that, as one that doesn't answer does."""


@dataclass
class DeliveryPass:
    """What is known while a run's outstanding events are delivered one after the other."""

    #: Whether the last request took long; None: there was none yet.
    slow: bool | None = None


class WebhookDispatcher:
    """Delivers events to one destination."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        destination: Destination,
        *,
        owner: str,
        schedule: RetrySchedule,
        tries: Counter,
        slow_after: float = SLOW_S,
    ) -> None:
        self.destination = destination
        self.owner = owner
        self._store = store
        self._sender = sender
        self._schedule = schedule
        self._tries = tries
        self._slow_after = slow_after
        #: The name in logs and metrics.
        self._name = destination.surface.removeprefix(SURFACE)

    async def deliver(self, run_id: str) -> bool | None:
        """Deliver a run's outstanding events until none is left, one is to be retried, or one took long.

        Returns whether the last request took long; None: there was none.
        Raises NotFound and StoreUnavailable.
        """
        delivery = DeliveryPass()
        surface = self.destination.surface
        endpoint = await self.destination.endpoint(run_id)
        state = await self._store.webhooks.state(surface, run_id)
        before = state.before
        while page := await self._store.events.read(run_id, before, PAGE_SIZE):
            for event in page:
                if state.is_done(event.seq):
                    continue
                if not await self._one(endpoint, event, state, delivery) or delivery.slow:
                    return delivery.slow
                state = state.model_copy(update={"tries": 0})
            before = page[-1].seq
        if before == state.before:
            # Nothing was outstanding; this removes the run from the pending ones.
            await self._store.webhooks.ack_event(surface, self.owner, run_id, state.cursor)
        return delivery.slow

    async def _one(
        self, endpoint: Endpoint | None, event: Event, state: EndpointState, delivery: DeliveryPass
    ) -> bool:
        """Deliver one event; True if the next one may follow."""
        if endpoint is None or state.gone or not endpoint.wants(event.body.type):
            return await self._acknowledge(event)
        began = time.monotonic()
        failure = await self._sender.send(endpoint, event)
        delivery.slow = time.monotonic() - began > self._slow_after
        if failure is None:
            self._count("delivered")
            return await self._acknowledge(event)
        self._count("missed")
        if failure.gone:
            return not await self.destination.handle_gone(failure.why) and await self._give_up(event, failure)
        return await self._later(event, state, failure)

    async def _later(self, event: Event, state: EndpointState, failure: DeliveryFailure) -> bool:
        since = state.again.get(event.seq, event.at)
        age = (await self._store.clock.now() - since) / 1000
        tries = state.tries + 1
        wait = self._schedule.wait(tries, age, random.random(), at_least=failure.retry_after)  # noqa: S311 - jitter
        if wait is None:
            return await self._give_up(event, failure)
        log.debug(
            "A webhook was not delivered and will be retried",
            to=self._name,
            run_id=event.run_id,
            why=failure.why,
        )
        await self._store.webhooks.nack_event(
            self.destination.surface, self.owner, event.run_id, tries=tries, why=failure.why, seconds=wait
        )
        return False

    async def _give_up(self, event: Event, failure: DeliveryFailure) -> bool:
        log.warning("A webhook is given up", to=self._name, run_id=event.run_id, why=failure.why)
        self._count("given_up")
        return await self._store.webhooks.ack_event(
            self.destination.surface,
            self.owner,
            event.run_id,
            event.seq,
            failure=failure.why,
            gone=failure.gone,
        )

    async def _acknowledge(self, event: Event) -> bool:
        return await self._store.webhooks.ack_event(
            self.destination.surface, self.owner, event.run_id, event.seq
        )

    def _count(self, result: str) -> None:
        self._tries.inc(self._name, result)


SHARD_LEASE_S = 30.0
"""Longer than one attempt, so that no other process takes the shard during it."""
RELEASE_TIMEOUT_S = 2.0
"""How long releasing the shards may delay the shutdown."""
ERROR_DELAY_S = 60.0
"""The delay before a run is retried that can't be read, or whose delivery raised an unexpected error."""
MAX_CONCURRENT_REQUESTS = 8
"""Concurrent requests to one endpoint."""
LISTED, MAX_LISTED = 100, 1000
"""Pending runs of a shard that are read at once: new ones, and with those that wait for a slot already."""


class RequestSlots:
    """Slots for concurrent requests.

    Receivers of one holder take up some of them, and those of all slow holders together some as well.
    """

    def __init__(self, total: int, per_holder: int, slow: int) -> None:
        self._total = asyncio.Semaphore(total)
        self._of_slow = asyncio.Semaphore(slow)
        self._per_holder = per_holder
        #: By holder, while anything of theirs is delivered.
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._slow: set[str] = set()

    @asynccontextmanager
    async def of(self, holder: str) -> AsyncIterator[None]:
        """Hold a slot for this holder while the block runs."""
        own = self._own.setdefault(holder, asyncio.Semaphore(self._per_holder))
        async with own, self._of_slow if holder in self._slow else nullcontext(), self._total:
            yield

    def record_speed(self, holder: str, *, slow: bool | None) -> None:
        """Remember whether a holder's receiver was slow; None: nothing was sent to it."""
        if slow:
            self._slow.add(holder)
        elif slow is False:
            self._slow.discard(holder)


class EndpointWorker:
    """The delivery loop of one endpoint."""

    def __init__(
        self,
        outbox: Outbox,
        wakeups: Wakeups,
        dispatcher: WebhookDispatcher,
        slots: RequestSlots,
        *,
        every: float = RECHECK_INTERVAL_S,
    ) -> None:
        self._outbox = outbox
        self._wakeups = wakeups
        self._dispatcher = dispatcher
        self._surface = dispatcher.destination.surface
        self._slots = slots
        self._every = every
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Deliver until cancelled; then release the shards."""
        async with asyncio.TaskGroup() as group:
            for shard in range(self._outbox.shards):
                group.create_task(self._deliver_shard(shard, group))

    async def _deliver_shard(self, shard: int, group: asyncio.TaskGroup) -> None:
        with self._wakeups.watch(outbox_topic(self._surface, shard)) as signal:
            try:
                while True:
                    signal.clear()
                    try:
                        await self._begin_pending(shard, signal, group)
                    except StoreUnavailable as error:
                        log.debug("The store is away: webhooks are sent later", reason=str(error))
                    await signal.wait(self._every)
            finally:
                # If this fails, the leases expire by themselves.
                with suppress(StoreUnavailable, TimeoutError):
                    async with asyncio.timeout(RELEASE_TIMEOUT_S):
                        await self._outbox.release_shard(self._surface, shard, self._dispatcher.owner)

    async def _begin_pending(self, shard: int, signal: Signal, group: asyncio.TaskGroup) -> None:
        if not await self._outbox.lease_shard(self._surface, shard, self._dispatcher.owner, SHARD_LEASE_S):
            return
        # Those that wait for a slot are listed again: they must not hide others.
        limit = min(LISTED + len(self._busy), MAX_LISTED)
        pending = set(await self._outbox.pending(self._surface, shard, limit)) - self._busy
        if pending and not await self._dispatcher.destination.blocked():
            for run_id in pending:
                self._busy.add(run_id)
                group.create_task(self._deliver_run(run_id, signal))

    async def _deliver_run(self, run_id: str, signal: Signal) -> None:
        try:
            holder = await self._dispatcher.destination.holder(run_id)
            async with self._slots.of(holder):
                self._slots.record_speed(holder, slow=await self._dispatcher.deliver(run_id))
        except NotFound:
            log.debug("A run was deleted before its webhooks were sent", run_id=run_id)
        except StoreUnavailable as error:
            log.debug("The store is away: webhooks are sent later", run_id=run_id, reason=str(error))
        except Exception as error:  # noqa: BLE001 - an error of one run must not affect the others
            await self._postpone(run_id, error)
        else:
            # New events may have arrived since the run was read.
            signal.set(())
        finally:
            self._busy.discard(run_id)

    async def _postpone(self, run_id: str, error: Exception) -> None:
        """Postpone a run that can't be read, or whose delivery raised an unexpected error."""
        if isinstance(error, UnreadableRecord):
            log.debug("A run can't be read; its webhooks are postponed", run_id=run_id, reason=str(error))
        else:
            log.error("Webhooks of a run failed; trying again", run_id=run_id, exc_info=error)
        with suppress(StoreUnavailable):
            await self._outbox.postpone(self._surface, self._dispatcher.owner, run_id, ERROR_DELAY_S)
