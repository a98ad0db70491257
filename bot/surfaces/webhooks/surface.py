"""The webhooks of this process, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from uuid import uuid4

import structlog

from bot.core.endpoints import SURFACE
from bot.core.feed import RECHECK, Feed
from bot.core.ports import Store
from bot.core.tasks import at_work
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.webhooks.courier import AT_ONCE, Courier
from bot.surfaces.webhooks.delivery import Delivery
from bot.surfaces.webhooks.routes import Configured, OfStarts, Route
from bot.surfaces.webhooks.schedule import Schedule
from bot.surfaces.webhooks.sending import TIMEOUT, Sender, open_sender

log = structlog.get_logger(__name__)

STARTS_AT_ONCE = 8 * AT_ONCE
"""Requests to the addresses that came with starts: they are many endpoints."""


@dataclass(frozen=True)
class Pace:
    """How fast things go, in seconds."""

    schedule: Schedule = field(default_factory=Schedule)
    within: float = TIMEOUT
    #: Between two looks for what is due.
    every: float = RECHECK


@asynccontextmanager
async def open_webhooks(
    settings: Settings, store: Store, feed: Feed, metrics: Metrics, pace: Pace | None = None
) -> AsyncIterator[None]:
    """Deliver to the endpoints of the settings while the block runs. Raises StoreUnavailable.

    A process without endpoints leaves those that the store knows as they are: what it says of the runs that
    start then is kept until a process delivers it. `feed` is followed by the caller.
    """
    pace = pace or Pace()
    await _follow(settings, store)
    routes = list(_routes(settings, store))
    if not routes:
        yield
        return
    private = settings.webhook_allow_private
    async with open_sender(private=private, version=_version(), within=pace.within) as sender:
        couriers = (_courier(route, store, feed, metrics, sender, pace) for route in routes)
        async with at_work(*(courier.run() for courier in couriers)):
            yield


async def _follow(settings: Settings, store: Store) -> None:
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


def _courier(route: Route, store: Store, feed: Feed, metrics: Metrics, sender: Sender, pace: Pace) -> Courier:
    delivery = Delivery(
        store, sender, route, owner=uuid4().hex, schedule=pace.schedule, tries=metrics.webhook_tries
    )
    at_once = STARTS_AT_ONCE if isinstance(route, OfStarts) else AT_ONCE
    return Courier(store.outbox, feed, delivery, at_once=at_once, every=pace.every)


def _routes(settings: Settings, store: Store) -> Iterator[Route]:
    for endpoint in settings.webhooks:
        yield Configured(endpoint, store.webhooks)
    if settings.webhook_urls:
        yield OfStarts(store.runs, settings.webhook_secrets)


def _version() -> str:
    try:
        return version("crewdeck")
    except PackageNotFoundError:
        return "0"
