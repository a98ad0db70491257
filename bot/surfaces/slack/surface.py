"""Slack as one surface: everything that runs for it, opened and closed together."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp

from bot.core.errors import StoreUnavailable
from bot.core.feed import Feed
from bot.core.ports import Store
from bot.core.sessions import Vouch
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.background import BackgroundTasks
from bot.surfaces.chat.delivery.outbox import Delivery
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.commands import CommandHandlers
from bot.surfaces.chat.inbound.console_link import ConsoleLinks
from bot.surfaces.chat.inbound.copies import Copies
from bot.surfaces.chat.inbound.forms import Forms
from bot.surfaces.chat.inbound.orphans import Strays
from bot.surfaces.chat.inbound.pending_requests import PendingRequests
from bot.surfaces.chat.inbound.placing import Placing
from bot.surfaces.chat.inbound.replies import Replies
from bot.surfaces.chat.presence import Presence
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.inbound.ack_handler import AckHandler
from bot.surfaces.slack.inbound.bolt import Dispatcher, application
from bot.surfaces.slack.inbound.catchup import CatchUp
from bot.surfaces.slack.inbound.listeners import commands, lifecycle, messages, modals, presses
from bot.surfaces.slack.inbound.listeners.messages import Ears
from bot.surfaces.slack.inbound.listeners.modals import Modals
from bot.surfaces.slack.inbound.listeners.presses import Presses
from bot.surfaces.slack.inbound.notices import Notices
from bot.surfaces.slack.inbound.opening import Opening
from bot.surfaces.slack.inbound.people import People
from bot.surfaces.slack.inbound.request_url import RequestUrl
from bot.surfaces.slack.inbound.socket_mode import SocketMode
from bot.surfaces.slack.webapi.api import SlackApi, open_api
from bot.surfaces.slack.webapi.installed import Installed

log = structlog.get_logger(__name__)

DRAIN = 2.0
"""Seconds that private messages under way get at the end."""
AGAIN = 2.0


@dataclass(frozen=True)
class Status:
    """Whether Slack's side is in order, and if not, why."""

    up: bool
    problem: str = ""


class SlackSurface:
    """What the rest of the process sees of Slack."""

    def __init__(
        self, routes: list[web.RouteDef], installed: Installed, socket: SocketMode | None, vouch: Vouch
    ) -> None:
        self.routes = routes
        #: How people of Slack stand who have signed in to the console.
        self.vouch = vouch
        self._installed = installed
        self._socket = socket

    def status(self) -> Status:
        """Up: the token works, and what people do reaches us."""
        if not self._installed.known:
            return Status(up=False, problem=self._installed.problem)
        if self._socket is not None and not self._socket.up:
            return Status(up=False, problem="Socket Mode is not connected")
        return Status(up=True)


@asynccontextmanager
async def open_slack(
    settings: Settings, store: Store, feed: Feed, metrics: Metrics, console: str
) -> AsyncIterator[SlackSurface]:
    """Slack, as the settings have it. Slack being away stops nothing: it is tried until it is back.

    `console` is the address where people find the console.
    """
    owner = uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        ack_priority = AckPriority()
        api = await stack.enter_async_context(open_api(settings, metrics, ack_priority))
        presence = Presence(store.memory, owner)
        await stack.enter_async_context(presence.shown())
        unfinished = PendingRequests(store, presence)
        parts = Parts(api, store, feed, unfinished, settings, console)
        stack.push_async_callback(parts.background.drain, DRAIN)
        dispatcher = Dispatcher(parts.application(settings.slack_api_url), metrics, ack_priority)
        socket = _socket_mode(settings, api, dispatcher, presence)
        catch_up = CatchUp(store, api, parts.installed, presence, parts.desk, parts.ears)
        delivery = Delivery(store, feed, api, parts.home, owner, lambda: presence.count)
        await stack.enter_async_context(
            _at_work(
                delivery.run(),
                unfinished.run(dispatcher.dispatch),
                _begin(parts, store, catch_up),
            )
        )
        if socket is not None:
            await stack.enter_async_context(socket.connected())
        yield SlackSurface(_routes(settings, dispatcher, store), parts.installed, socket, parts.people.vouch)


class Parts:
    """What takes deliveries in, made of what was opened. Nothing here connects or runs."""

    def __init__(
        self,
        api: SlackApi,
        store: Store,
        feed: Feed,
        unfinished: PendingRequests,
        settings: Settings,
        console: str,
    ) -> None:
        self.background = BackgroundTasks()
        self.installed = Installed(api)
        self.home = Home(store, api)
        notices = Notices(api)
        self.desk = AckHandler(self.background, notices, store.memory, unfinished)
        self._copies = Copies(store, api)
        self._store = store
        self.people = People(api, store.memory, self.background, self.installed)
        self._answers = Answers(store)
        self._replies = Replies(store, self.people, self._answers)
        self._opening = Opening(api, notices)
        self._forms = Forms(store.memory, self._opening)
        self._placing = Placing(store.runs, store.memory, feed, notices)
        token = settings.slack_bot_token
        links = ConsoleLinks(store.memory, console, token.get_secret_value() if token else "")
        self._orders = CommandHandlers(store, self._forms, self._placing, links)
        strays = Strays(self._copies, api)
        self.ears = Ears(self.installed, self.people, self._orders, self._replies, strays)

    def application(self, api_url: str) -> AsyncApp:
        """A Bolt application with all listeners; the first one that matches takes a delivery."""
        app = application(self.installed, api_url)
        store, desk, people, orders = self._store, self.desk, self.people, self._orders
        effects = Presses(
            store, self._answers, self._copies, self._replies, orders, self._forms, self._opening
        )
        submitted = Modals(store, people, self._answers, orders, self._forms, self._placing)
        commands.listen(app, desk, people, orders)
        messages.listen(app, desk, self.ears)
        presses.listen(app, desk, people, effects)
        modals.listen(app, desk, submitted)
        lifecycle.listen(app, desk, store.runs, people, self.home)
        return app


def _routes(settings: Settings, dispatcher: Dispatcher, store: Store) -> list[web.RouteDef]:
    """The request URL; none in Socket Mode, where Slack has no use for it."""
    if settings.socket_mode or settings.slack_signing_secret is None:
        return []
    return RequestUrl(settings.slack_signing_secret.get_secret_value(), dispatcher, store.memory).routes()


def _socket_mode(
    settings: Settings, api: SlackApi, dispatcher: Dispatcher, presence: Presence
) -> SocketMode | None:
    if settings.slack_app_token is None:
        return None
    return SocketMode(settings.slack_app_token.get_secret_value(), api.web, dispatcher, presence)


async def _begin(parts: Parts, store: Store, catch_up: CatchUp) -> None:
    """What waits until the token has proven itself."""
    await parts.installed.learn()
    while True:
        try:
            await _go_on(store, parts.installed.team)
        except StoreUnavailable:
            await asyncio.sleep(AGAIN)
        else:
            break
    await catch_up.run()


async def _go_on(store: Store, team: str) -> None:
    if await store.runs.pause_reason(team) is not None:
        await store.runs.pause_tenant(team, None)
        log.info("the workspace's runs go on", team=team)


@asynccontextmanager
async def _at_work(*tasks: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        started = [group.create_task(task) for task in tasks]
        try:
            yield
        finally:
            for task in started:
                task.cancel()
