"""The composition root of delivery: all that is sent to chat platforms and webhooks.

It runs in a process of its own, so that sending never delays receiving (`bot/commands/deliver.py`), or within
`serve` (`CREWDECK_DELIVERY=inside`).
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.core.ports.store import Clock, KeyValueStore
from bot.surfaces.chat.connection import ProcessServices
from bot.surfaces.chat.presence import Presence, count_present
from bot.surfaces.webhooks.surface import open_webhooks

ALL_SURFACES = "all"
"""Under this name every delivery process is present, whatever it delivers to."""


@asynccontextmanager
async def delivering(services: ProcessServices) -> AsyncIterator[None]:
    """Deliver to everything that the settings name, during the block.

    Platforms are imported late: their libraries are slow to load.
    """
    settings, store = services.settings, services.store
    async with AsyncExitStack() as stack:
        presence = Presence(ALL_SURFACES, store.key_values, store.clock, uuid.uuid4().hex, "delivery")
        await stack.enter_async_context(presence.announced())
        if settings.webhooks or settings.webhook_urls:
            await stack.enter_async_context(
                open_webhooks(settings, store, services.wakeups, services.metrics)
            )
        if settings.slack_on:
            from bot.surfaces.slack.delivery import open_slack_delivery

            await stack.enter_async_context(open_slack_delivery(services))
        if settings.teams_on:
            from bot.surfaces.teams.delivery import open_teams_delivery

            await stack.enter_async_context(open_teams_delivery(services))
        yield


async def count_delivering(key_values: KeyValueStore, clock: Clock) -> int:
    """How many processes deliver for this store, on all machines. Raises StoreUnavailable."""
    return await count_present(ALL_SURFACES, key_values, clock, "delivery")
