"""Delivery to Microsoft Teams: threads, questions, progress and results."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.core.feed import Feed
from bot.core.ports import Store
from bot.core.tasks import run_alongside
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.background import BackgroundTasks
from bot.surfaces.chat.delivery.outbox import OutboxWorker
from bot.surfaces.chat.delivery.recipients import Recipients
from bot.surfaces.chat.presence import Presence
from bot.surfaces.teams import SURFACE
from bot.surfaces.teams.connector.platform import open_platform
from bot.surfaces.teams.credentials import Credentials, connect, teams_app
from bot.surfaces.teams.inbound.people import TeamsActors

DRAIN_TIMEOUT_S = 1.0
"""How long profiles that are being read may take at the end."""


@asynccontextmanager
async def open_teams_delivery(
    settings: Settings, store: Store, feed: Feed, metrics: Metrics, ack_priority: AckPriority, console: str
) -> AsyncIterator[None]:
    """Deliver during the block. If Teams can't be reached, everything is tried again.

    `console` is the address where people find the console.
    """
    owner = uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        app = teams_app(settings, console)
        platform = await stack.enter_async_context(
            open_platform(app, store.memory, store.files, metrics, ack_priority)
        )
        presence = Presence(SURFACE, store.memory, owner, "delivery")
        await stack.enter_async_context(presence.announced())
        background = BackgroundTasks()
        stack.push_async_callback(background.drain, DRAIN_TIMEOUT_S)
        people = TeamsActors(settings.teams_tenant_id, platform.directory, store.memory, background)
        worker = OutboxWorker(
            store,
            feed,
            platform,
            metrics,
            owner,
            recipients=Recipients(people.actor),
            peers=lambda: presence.count,
        )
        connecting = connect(Credentials(platform.tokens), store, settings.teams_tenant_id)
        await stack.enter_async_context(run_alongside(worker.run(), connecting))
        yield
