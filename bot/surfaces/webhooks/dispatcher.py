"""Delivers a run's events to an endpoint, in order and with retries."""

from __future__ import annotations

import random
from dataclasses import dataclass

import structlog

from bot.core.endpoints import SURFACE, Endpoint
from bot.core.event import Event
from bot.core.ports import Store
from bot.core.webhooks import Outstanding
from bot.metrics import Counter
from bot.surfaces.webhooks.destinations import Destination
from bot.surfaces.webhooks.sending import DeliveryFailure, Sender

log = structlog.get_logger(__name__)

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
    ) -> None:
        self.destination = destination
        self.owner = owner
        self._store = store
        self._sender = sender
        self._schedule = schedule
        self._tries = tries
        #: The name in logs and metrics.
        self._name = destination.surface.removeprefix(SURFACE)

    async def bring(self, run_id: str) -> None:
        """Deliver a run's outstanding events until none is left or one has to be retried later.

        Raises NotFound and StoreUnavailable.
        """
        surface = self.destination.surface
        endpoint = await self.destination.endpoint(run_id)
        state = await self._store.webhooks.outstanding(surface, run_id)
        before = state.before
        while page := await self._store.events.read(run_id, before, PAGE_SIZE):
            for event in page:
                if state.done_with(event.seq):
                    continue
                if not await self._one(endpoint, event, state):
                    return
                state = state.model_copy(update={"tries": 0})
            before = page[-1].seq
        if before == state.before:
            # Nothing was outstanding; this removes the run from the pending ones.
            await self._store.webhooks.ack_event(surface, self.owner, run_id, state.cursor)

    async def _one(self, endpoint: Endpoint | None, event: Event, state: Outstanding) -> bool:
        """Deliver one event; True if the next one may follow."""
        if endpoint is None or state.gone or not endpoint.wants(event.body.type):
            return await self._passed(event)
        failure = await self._sender.send(endpoint, event)
        if failure is None:
            self._count("delivered")
            return await self._passed(event)
        self._count("missed")
        if failure.gone:
            return not await self.destination.hang_up(failure.why) and await self._give_up(event, failure)
        return await self._later(event, state, failure)

    async def _later(self, event: Event, state: Outstanding, failure: DeliveryFailure) -> bool:
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

    async def _passed(self, event: Event) -> bool:
        return await self._store.webhooks.ack_event(
            self.destination.surface, self.owner, event.run_id, event.seq
        )

    def _count(self, result: str) -> None:
        self._tries.inc(self._name, result)
