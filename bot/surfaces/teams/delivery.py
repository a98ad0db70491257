"""Delivery to Microsoft Teams: threads, questions, progress and results."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from bot.core.people.actor import Actor
from bot.surfaces.chat.connection import ProcessServices
from bot.surfaces.chat.delivery.outbox import OutboxWorker
from bot.surfaces.chat.failures import CredentialsRefused, Rejected
from bot.surfaces.chat.presence import Presence
from bot.surfaces.chat.recipients import ProfileUnavailable, Recipients
from bot.surfaces.teams import SURFACE, TITLE
from bot.surfaces.teams.connector.platform import TeamsPlatform, open_platform
from bot.surfaces.teams.credentials import Credentials, TeamsApp, connect
from bot.surfaces.teams.inbound.people import TeamsActors
from bot.tasks import BackgroundTasks, run_alongside

DRAIN_TIMEOUT_S = 1.0
"""How long profiles that are being read may take at the end."""


@asynccontextmanager
async def open_teams_delivery(services: ProcessServices) -> AsyncIterator[None]:
    """Deliver during the block. If Teams can't be reached, everything is tried again."""
    settings, store, owner = services.settings, services.store, uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        app = TeamsApp.of(settings, services.console)
        platform = await stack.enter_async_context(
            open_platform(app, store.key_values, store.files, services.metrics, services.ack_priority)
        )
        presence = Presence(SURFACE, store.key_values, store.clock, owner, "delivery")
        await stack.enter_async_context(presence.announced())
        background = BackgroundTasks()
        stack.push_async_callback(background.drain, DRAIN_TIMEOUT_S)
        people = TeamsActors(settings.teams_tenant_id, platform.directory, store.key_values, background)
        worker = OutboxWorker(
            store,
            services.wakeups,
            platform,
            services.metrics,
            owner,
            recipients=Recipients(recipient_lookup(people, platform)),
            peers=lambda: presence.count,
        )
        connecting = connect(Credentials(platform.tokens), store, settings.teams_tenant_id)
        await stack.enter_async_context(run_alongside(worker.run(), connecting))
        yield


def recipient_lookup(people: TeamsActors, platform: TeamsPlatform) -> Callable[[str], Awaitable[Actor]]:
    """A function that finds the recipient of a message by their object id.

    Teams says it where they have acted before; of somebody who has not, in their personal chat with the app.
    """

    async def actor(user: str) -> Actor:
        """Raises ProfileUnavailable, Barred, RetryLater, CredentialsRefused, StoreUnavailable."""
        try:
            return await people.actor(user)
        except ProfileUnavailable:
            return await people.actor(user, await personal_chat(user))

    async def personal_chat(user: str) -> str:
        try:
            return (await platform.open_direct(user)).channel
        except CredentialsRefused:
            raise
        except Rejected as rejected:
            raise ProfileUnavailable(TITLE) from rejected

    return actor
