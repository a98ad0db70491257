"""The composition of webhooks in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from uuid import uuid4

import structlog

from bot.core.events.endpoints import SURFACE
from bot.core.ports.store import Store
from bot.core.wakeups import RECHECK_INTERVAL_S, Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.webhooks.dispatcher import (
    MAX_CONCURRENT_REQUESTS,
    SLOW_S,
    ConfiguredEndpoint,
    Destination,
    EndpointWorker,
    PerRunEndpoint,
    RequestSlots,
    RetrySchedule,
    WebhookDispatcher,
)
from bot.surfaces.webhooks.sending import REQUEST_TIMEOUT_S, Sender, open_sender
from bot.tasks import run_alongside

log = structlog.get_logger(__name__)

MAX_CONCURRENT_PER_RUN_REQUESTS = 8 * MAX_CONCURRENT_REQUESTS
"""Concurrent requests to addresses from the start of runs, which belong to many receivers."""
MAX_CONCURRENT_REQUESTS_PER_KEY = 2 * MAX_CONCURRENT_REQUESTS
"""Of these, those to addresses that came with starts of one API key."""
MAX_CONCURRENT_SLOW_REQUESTS = 4 * MAX_CONCURRENT_REQUESTS
"""Of these, those to addresses of all keys whose receivers are slow, or don't answer at all."""


@dataclass(frozen=True)
class DeliveryTimings:
    """Timing, in seconds."""

    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    within: float = REQUEST_TIMEOUT_S
    #: After how long a receiver that answers counts as slow.
    slow_after: float = SLOW_S
    #: The interval at which due deliveries are looked up.
    every: float = RECHECK_INTERVAL_S


@asynccontextmanager
async def open_webhooks(
    settings: Settings,
    store: Store,
    wakeups: Wakeups,
    metrics: Metrics,
    timings: DeliveryTimings | None = None,
) -> AsyncIterator[None]:
    """Deliver to the endpoints of the settings during the block. Raises StoreUnavailable.

    The caller runs `wakeups`.
    """
    timings = timings or DeliveryTimings()
    await follow_endpoints(settings, store)
    destinations = list(_destinations(settings, store))
    if not destinations:
        yield
        return
    private = settings.webhook_allow_private
    async with open_sender(private=private, version=_version(), within=timings.within) as sender:
        workers = (
            _worker(destination, store, wakeups, metrics, sender, timings) for destination in destinations
        )
        async with run_alongside(*(worker.run() for worker in workers)):
            yield


async def follow_endpoints(settings: Settings, store: Store) -> None:
    """Deliver runs that start from now on to the endpoints of the settings. Raises StoreUnavailable.

    A process without endpoints keeps those in the store: their events are stored until another process
    delivers them.
    """
    ours = [endpoint.surface for endpoint in settings.webhooks]
    left = sorted(set(await store.webhooks.following()) - set(ours))
    names = ", ".join(surface.removeprefix(SURFACE) for surface in left)
    if ours or not left:
        await store.webhooks.follow(ours)
        if left:
            log.warning(
                "Endpoints get no runs that start from now on: CREWDECK_WEBHOOKS has changed", gone=names
            )
    else:
        log.warning(
            "This process has no CREWDECK_WEBHOOKS: it delivers nothing; what endpoints should get is kept",
            endpoints=names,
            remedy="Set it as in the other web processes, or end it: crewdeck webhooks forget NAME",
        )


def _worker(
    destination: Destination,
    store: Store,
    wakeups: Wakeups,
    metrics: Metrics,
    sender: Sender,
    timings: DeliveryTimings,
) -> EndpointWorker:
    dispatcher = WebhookDispatcher(
        store,
        sender,
        destination,
        owner=uuid4().hex,
        schedule=timings.schedule,
        tries=metrics.webhook_tries,
        slow_after=timings.slow_after,
    )
    slots = (
        RequestSlots(
            MAX_CONCURRENT_PER_RUN_REQUESTS, MAX_CONCURRENT_REQUESTS_PER_KEY, MAX_CONCURRENT_SLOW_REQUESTS
        )
        if isinstance(destination, PerRunEndpoint)
        else RequestSlots(*3 * (MAX_CONCURRENT_REQUESTS,))
    )
    return EndpointWorker(store.outbox, wakeups, dispatcher, slots, every=timings.every)


def _destinations(settings: Settings, store: Store) -> Iterator[Destination]:
    for endpoint in settings.webhooks:
        yield ConfiguredEndpoint(endpoint, store.webhooks)
    if settings.webhook_urls:
        yield PerRunEndpoint(store.runs, settings.webhook_secrets)


def _version() -> str:
    try:
        return version("crewdeck")
    except PackageNotFoundError:
        return "0"
