"""Delivery to Slack: threads, questions, progress, results and Home tabs that have changed.

Apart from `surface.py`, so that the delivery process doesn't load Bolt.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.core.ports.store import Store
from bot.surfaces.chat.connection import ProcessServices, resume_workspace
from bot.surfaces.chat.delivery.outbox import OutboxWorker
from bot.surfaces.chat.presence import Presence
from bot.surfaces.chat.recipients import Recipients
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.groups import UserGroups
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.inbound.people import SlackActors
from bot.surfaces.slack.webapi.api import open_api
from bot.surfaces.slack.webapi.installation import SlackInstallation
from bot.tasks import BackgroundTasks, run_alongside

DRAIN_TIMEOUT_S = 1.0
"""How long profiles that are being read may take at the end."""


@asynccontextmanager
async def open_slack_delivery(services: ProcessServices) -> AsyncIterator[None]:
    """Deliver during the block. If Slack can't be reached, everything is tried again."""
    store, owner = services.store, uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            open_api(services.settings, services.metrics, services.ack_priority)
        )
        presence = Presence(SURFACE, store.key_values, store.clock, owner, "delivery")
        await stack.enter_async_context(presence.announced())
        background, installation = BackgroundTasks(), SlackInstallation(api)
        stack.push_async_callback(background.drain, DRAIN_TIMEOUT_S)
        people = SlackActors(api, store.key_values, background, installation)
        home = Home(store, api, people.current_membership)
        store.directory.serve(SURFACE, UserGroups(api, installation))
        worker = OutboxWorker(
            store,
            services.wakeups,
            api,
            services.metrics,
            owner,
            recipients=Recipients(people.actor, home.changed),
            peers=lambda: presence.count,
        )
        await stack.enter_async_context(run_alongside(worker.run(), home.run(), _begin(installation, store)))
        yield


async def _begin(installation: SlackInstallation, store: Store) -> None:
    """Resume what was paused since Slack refused the token, once it accepts it."""
    await installation.learn()
    await resume_workspace(store.runs, installation.team)
