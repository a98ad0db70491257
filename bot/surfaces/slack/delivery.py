"""Delivery to Slack: threads, questions, progress, results and Home tabs that have changed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.core.feed import Feed
from bot.core.ports import Store
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.connection import resume_workspace
from bot.surfaces.chat.delivery.outbox import OutboxWorker
from bot.surfaces.chat.platform import Recipients
from bot.surfaces.chat.presence import Presence
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.groups import UserGroups
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.inbound.people import SlackActors
from bot.surfaces.slack.webapi.api import open_api
from bot.surfaces.slack.webapi.installed import Installed
from bot.tasks import BackgroundTasks, run_alongside

DRAIN_TIMEOUT_S = 1.0
"""How long profiles that are being read may take at the end."""


@asynccontextmanager
async def open_slack_delivery(
    settings: Settings, store: Store, feed: Feed, metrics: Metrics, ack_priority: AckPriority
) -> AsyncIterator[None]:
    """Deliver during the block. If Slack can't be reached, everything is tried again."""
    owner = uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(open_api(settings, metrics, ack_priority))
        presence = Presence(SURFACE, store.key_values, owner, "delivery")
        await stack.enter_async_context(presence.announced())
        background, installed, home = BackgroundTasks(), Installed(api), Home(store, api)
        stack.push_async_callback(background.drain, DRAIN_TIMEOUT_S)
        people = SlackActors(api, store.key_values, background, installed)
        store.directory.serve(SURFACE, UserGroups(api, installed))
        worker = OutboxWorker(
            store,
            feed,
            api,
            metrics,
            owner,
            recipients=Recipients(people.actor, home.changed),
            peers=lambda: presence.count,
        )
        await stack.enter_async_context(run_alongside(worker.run(), home.run(), _begin(installed, store)))
        yield


async def _begin(installed: Installed, store: Store) -> None:
    """What was paused since Slack refused the token goes on once it takes it."""
    await installed.learn()
    await resume_workspace(store.runs, installed.team)
