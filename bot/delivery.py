"""The composition root of delivery: all that is sent to chat platforms and webhooks.

It runs in a process of its own, so that sending never delays receiving (`bot/commands/deliver.py`), or within
`serve` (`CREWDECK_DELIVERY=inside`).
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.core.feed import Feed
from bot.core.ports import KeyValueStore, Store
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.presence import Presence, count_present
from bot.surfaces.webhooks.surface import open_webhooks

ALL = "all"
"""Under this name every delivery process is present, whatever it delivers to."""


@asynccontextmanager
async def delivering(
    settings: Settings, store: Store, feed: Feed, metrics: Metrics, ack_priority: AckPriority, console: str
) -> AsyncIterator[None]:
    """Deliver to everything that the settings name, during the block. The caller runs `feed`.

    `console` is the address where people find the console. Platforms are imported late: their libraries are
    slow to load.
    """
    async with AsyncExitStack() as stack:
        presence = Presence(ALL, store.key_values, uuid.uuid4().hex, "delivery")
        await stack.enter_async_context(presence.announced())
        if settings.webhooks or settings.webhook_urls:
            await stack.enter_async_context(open_webhooks(settings, store, feed, metrics))
        if settings.slack_on:
            from bot.surfaces.slack.delivery import open_slack_delivery

            await stack.enter_async_context(open_slack_delivery(settings, store, feed, metrics, ack_priority))
        if settings.teams_on:
            from bot.surfaces.teams.delivery import open_teams_delivery

            await stack.enter_async_context(
                open_teams_delivery(settings, store, feed, metrics, ack_priority, console)
            )
        yield


async def count_delivering(key_values: KeyValueStore) -> int:
    """How many processes deliver for this store, on all machines. Raises StoreUnavailable."""
    return await count_present(ALL, key_values, "delivery")
