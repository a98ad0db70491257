"""The Slack surface: everything that receives for it, opened and closed together."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp

from bot.core.ports.directory import MembershipLookup
from bot.core.ports.store import Store
from bot.core.wakeups import Wakeups
from bot.settings import Settings
from bot.surfaces.chat.connection import ConnectionStatus, ProcessServices, keep_resumed, resume_workspace
from bot.surfaces.chat.delivery.orphans import OrphanReconciler
from bot.surfaces.chat.delivery.thread import Links
from bot.surfaces.chat.inbound.commands import ConsoleLinks
from bot.surfaces.chat.inbound.engine import InboundEngine, InboundPlatform
from bot.surfaces.chat.presence import Presence
from bot.surfaces.chat.wording import sentences
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.groups import UserGroups, keep_announced
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.inbound.bolt import Dispatcher, application
from bot.surfaces.slack.inbound.history import SlackThreadHistory
from bot.surfaces.slack.inbound.listeners import Listeners
from bot.surfaces.slack.inbound.people import SlackActors
from bot.surfaces.slack.inbound.private_replies import ModalOpener, SlackMessenger
from bot.surfaces.slack.inbound.request_url import RequestUrl
from bot.surfaces.slack.webapi.api import SlackApi, open_api
from bot.surfaces.slack.webapi.installation import SlackInstallation
from bot.tasks import BackgroundTasks, run_alongside

if TYPE_CHECKING:
    from bot.surfaces.slack.inbound.socket_mode import SocketMode

DRAIN_TIMEOUT_S = 2.0
"""How long private messages under way may take at the end."""


class SlackSurface:
    """The part of the surface that the rest of the process uses."""

    def __init__(
        self,
        routes: list[web.RouteDef],
        installation: SlackInstallation,
        socket: SocketMode | None,
        current_membership: MembershipLookup,
    ) -> None:
        self.routes = routes
        #: How people of Slack stand who have signed in to the console.
        self.current_membership = current_membership
        self._installation = installation
        self._socket = socket

    def status(self) -> ConnectionStatus:
        """Up: the token works, and what people do reaches us."""
        if not self._installation.known:
            return ConnectionStatus(up=False, problem=self._installation.problem)
        if self._socket is not None and not self._socket.up:
            return ConnectionStatus(up=False, problem="Socket Mode is not connected")
        return ConnectionStatus(up=True)


@asynccontextmanager
async def open_slack(services: ProcessServices) -> AsyncIterator[SlackSurface]:
    """Open the receiving part of the surface; `delivery.py` has the other one.

    If Slack can't be reached, connecting is retried and nothing else stops.
    """
    settings, store, owner = services.settings, services.store, uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(open_api(settings, services.metrics, services.ack_priority))
        presence = Presence(SURFACE, store.key_values, store.clock, owner)
        await stack.enter_async_context(presence.announced())
        inbound = SlackInbound(api, store, services.wakeups, presence, settings, services.console)
        stack.push_async_callback(inbound.background.drain, DRAIN_TIMEOUT_S)
        application = inbound.application(settings.slack_api_url)
        dispatcher = Dispatcher(application, services.metrics, services.ack_priority)
        store.directory.serve(SURFACE, UserGroups(api, inbound.installation))
        store.directory.vouch(SURFACE, inbound.people.current_membership)
        socket = _socket_mode(settings, api, dispatcher, presence)
        await stack.enter_async_context(
            run_alongside(
                inbound.home.run(),
                inbound.engine.pending.run(dispatcher.replay),
                _begin(inbound, store),
                _keep_resumed(inbound.installation, store, api),
                keep_announced(store.catalogue, store.directory),
            )
        )
        if socket is not None:
            await stack.enter_async_context(socket.connected())
        yield SlackSurface(
            _routes(settings, dispatcher, store),
            inbound.installation,
            socket,
            inbound.people.current_membership,
        )


class SlackInbound:
    """Slack's adapter of the inbound engine. Nothing here connects or runs."""

    def __init__(
        self,
        api: SlackApi,
        store: Store,
        wakeups: Wakeups,
        presence: Presence,
        settings: Settings,
        console: str,
    ) -> None:
        self._runs = store.runs
        self.background = BackgroundTasks()
        self.installation = SlackInstallation(api)
        self.people = SlackActors(api, store.key_values, self.background, self.installation)
        self.home = Home(store, api, self.people.current_membership)
        messenger = SlackMessenger(api)
        platform = InboundPlatform(
            api.capabilities,
            self.people,
            messenger,
            ModalOpener(api, messenger),
            OrphanReconciler(store, api, Links(store.key_values, api)),
            api.files,
        )
        token = settings.slack_bot_token
        links = ConsoleLinks(
            store.key_values, store.clock, console, token.get_secret_value() if token else ""
        )
        self.engine = InboundEngine(platform, store, wakeups, presence, self.background, links)
        self.catch_up = self.engine.catch_up(SlackThreadHistory(api, self.installation))

    def application(self, api_url: str) -> AsyncApp:
        """A Bolt application with all listeners."""
        app = application(self.installation, api_url)
        Listeners(self.engine, self.installation, self.people, self._runs, self.home).register(app)
        return app


def _routes(settings: Settings, dispatcher: Dispatcher, store: Store) -> list[web.RouteDef]:
    """The request URL; none in Socket Mode, where Slack has no use for it."""
    if settings.socket_mode or settings.slack_signing_secret is None:
        return []
    return RequestUrl(settings.slack_signing_secret.get_secret_value(), dispatcher, store).routes()


def _socket_mode(
    settings: Settings, api: SlackApi, dispatcher: Dispatcher, presence: Presence
) -> SocketMode | None:
    if settings.slack_app_token is None:
        return None
    # Late: the SDK's WebSockets are of no use behind a request URL.
    from bot.surfaces.slack.inbound.socket_mode import SocketMode

    return SocketMode(settings.slack_app_token.get_secret_value(), api.web, dispatcher, presence)


async def _begin(inbound: SlackInbound, store: Store) -> None:
    """What waits until Slack has accepted the token."""
    await inbound.installation.learn()
    await resume_workspace(store.runs, inbound.installation.team)
    await inbound.catch_up.run(inbound.installation.team)


async def _keep_resumed(installation: SlackInstallation, store: Store, api: SlackApi) -> None:
    await installation.ready()
    told = (sentences.ACCESS_REVOKED, sentences.APP_REMOVED)
    await keep_resumed(store.runs, installation.team, api.auth_test, told)
