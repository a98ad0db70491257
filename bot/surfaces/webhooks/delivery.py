"""Bringing a run's events to an endpoint: one after the other, each until it arrives or its time is up."""

from __future__ import annotations

import random

import structlog
from prometheus_client import Counter

from bot.core.endpoints import SURFACE, Endpoint
from bot.core.event import Event
from bot.core.ports import Store
from bot.core.webhooks import Outstanding
from bot.surfaces.webhooks.routes import Route
from bot.surfaces.webhooks.schedule import Schedule
from bot.surfaces.webhooks.sending import Missed, Sender

log = structlog.get_logger(__name__)

PAGE = 50
"""Events that are read at a time."""


class Delivery:
    """Brings events along one route."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        route: Route,
        *,
        owner: str,
        schedule: Schedule,
        tries: Counter,
    ) -> None:
        self.route = route
        self.owner = owner
        self._store = store
        self._sender = sender
        self._schedule = schedule
        self._tries = tries
        #: For logs and figures.
        self._name = route.surface.removeprefix(SURFACE)

    async def bring(self, run_id: str) -> None:
        """Send what is outstanding of a run, until nothing is, or something has to wait.

        Raises NotFound and StoreUnavailable.
        """
        surface = self.route.surface
        endpoint = await self.route.endpoint(run_id)
        state = await self._store.webhooks.outstanding(surface, run_id)
        before = state.before
        while page := await self._store.events.read(run_id, before, PAGE):
            for event in page:
                if state.done_with(event.seq):
                    continue
                if not await self._one(endpoint, event, state):
                    return
                state = state.model_copy(update={"tries": 0})
            before = page[-1].seq
        if before == state.before:
            # Nothing was outstanding: so that it is no longer pending.
            await self._store.webhooks.ack_event(surface, self.owner, run_id, state.cursor)

    async def _one(self, endpoint: Endpoint | None, event: Event, state: Outstanding) -> bool:
        """Whether the run's next event may follow."""
        if endpoint is None or state.gone or not endpoint.wants(event.body.type):
            return await self._passed(event)
        missed = await self._sender.send(endpoint, event)
        if missed is None:
            self._count("delivered")
            return await self._passed(event)
        self._count("missed")
        if missed.gone:
            return not await self.route.hang_up(missed.why) and await self._give_up(event, missed)
        return await self._later(event, state, missed)

    async def _later(self, event: Event, state: Outstanding, missed: Missed) -> bool:
        since = state.again.get(event.seq, event.at)
        age = (await self._store.clock.now() - since) / 1000
        tries = state.tries + 1
        wait = self._schedule.wait(tries, age, random.random(), at_least=missed.retry_after)  # noqa: S311 - spreads load
        if wait is None:
            return await self._give_up(event, missed)
        log.debug("A webhook has to be sent again", to=self._name, run_id=event.run_id, why=missed.why)
        await self._store.webhooks.nack_event(
            self.route.surface, self.owner, event.run_id, tries=tries, why=missed.why, seconds=wait
        )
        return False

    async def _give_up(self, event: Event, missed: Missed) -> bool:
        log.warning("A webhook is given up", to=self._name, run_id=event.run_id, why=missed.why)
        self._count("given_up")
        return await self._store.webhooks.ack_event(
            self.route.surface, self.owner, event.run_id, event.seq, failure=missed.why, gone=missed.gone
        )

    async def _passed(self, event: Event) -> bool:
        return await self._store.webhooks.ack_event(self.route.surface, self.owner, event.run_id, event.seq)

    def _count(self, result: str) -> None:
        self._tries.labels(self._name, result).inc()
