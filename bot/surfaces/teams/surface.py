"""The Teams surface: everything that receives for it, opened and closed together."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from aiohttp import web

from bot.core.ports.directory import MembershipLookup
from bot.core.ports.store import Store
from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.connection import ConnectionStatus, ProcessServices
from bot.surfaces.chat.delivery.orphans import OrphanReconciler
from bot.surfaces.chat.delivery.thread import Links
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.inbound.commands import ConsoleLinks
from bot.surfaces.chat.inbound.engine import InboundEngine, InboundPlatform
from bot.surfaces.chat.presence import Presence
from bot.surfaces.teams import SURFACE
from bot.surfaces.teams.connector.platform import TeamsPlatform, open_platform
from bot.surfaces.teams.credentials import Credentials, TeamsApp, connect
from bot.surfaces.teams.inbound.activities import Activities, InstallationUpdates
from bot.surfaces.teams.inbound.history import TeamsThreadHistory
from bot.surfaces.teams.inbound.invokes import PersonalCards
from bot.surfaces.teams.inbound.people import TeamsActors
from bot.surfaces.teams.inbound.private_replies import LateFormOpener, TeamsMessenger
from bot.surfaces.teams.inbound.request_url import RequestUrl
from bot.surfaces.teams.inbound.token_verifier import (
    FETCH_TIMEOUT_S,
    MetadataKeys,
    SigningKeys,
    TokenVerifier,
)
from bot.tasks import BackgroundTasks, run_alongside

DRAIN_TIMEOUT_S = 2.0
"""How long private messages under way may take at the end."""


class TeamsSurface:
    """The part of the surface that the rest of the process uses."""

    def __init__(
        self, routes: list[web.RouteDef], credentials: Credentials, current_membership: MembershipLookup
    ) -> None:
        self.routes = routes
        #: How people of Teams stand who have signed in to the console.
        self.current_membership = current_membership
        self._credentials = credentials

    def status(self) -> ConnectionStatus:
        """Up: Microsoft takes the app's credentials."""
        return ConnectionStatus(up=not self._credentials.problem, problem=self._credentials.problem)


@asynccontextmanager
async def open_teams(services: ProcessServices) -> AsyncIterator[TeamsSurface]:
    """Open the receiving part of the surface; `delivery.py` has the other one.

    If Teams can't be reached, connecting is retried and nothing else stops.
    """
    settings, store, owner = services.settings, services.store, uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        app = TeamsApp.of(settings, services.console)
        platform = await stack.enter_async_context(
            open_platform(app, store.key_values, store.files, services.metrics, services.ack_priority)
        )
        presence = Presence(SURFACE, store.key_values, store.clock, owner)
        await stack.enter_async_context(presence.announced())
        inbound = TeamsInbound(platform, store, services.wakeups, presence, settings, services.console)
        stack.push_async_callback(inbound.background.drain, DRAIN_TIMEOUT_S)
        store.directory.vouch(SURFACE, inbound.people.current_membership)
        activities = inbound.activities(services.metrics, services.ack_priority)
        credentials = Credentials(platform.tokens)
        await stack.enter_async_context(
            run_alongside(
                inbound.engine.pending.run(activities.replay),
                _begin(credentials, inbound, store, settings.teams_tenant_id),
            )
        )
        verifier = await stack.enter_async_context(open_verifier(settings))
        url = RequestUrl(
            verifier, settings.teams_tenant_id, activities.dispatch, local=settings.teams_peer_is_local
        )
        yield TeamsSurface(url.routes(), credentials, inbound.people.current_membership)


class TeamsInbound:
    """Teams' adapter of the inbound engine. Nothing here connects or runs."""

    def __init__(
        self,
        platform: TeamsPlatform,
        store: Store,
        wakeups: Wakeups,
        presence: Presence,
        settings: Settings,
        console: str,
    ) -> None:
        self._platform = platform
        self._store = store
        self.background = BackgroundTasks()
        self.people = TeamsActors(
            settings.teams_tenant_id, platform.directory, store.key_values, self.background
        )
        self._messenger = TeamsMessenger(platform)
        ports = InboundPlatform(
            platform.capabilities,
            self.people,
            self._messenger,
            LateFormOpener(self._messenger),
            OrphanReconciler(store, platform, Links(store.key_values, platform)),
        )
        links = ConsoleLinks(store.key_values, store.clock, console, _secret(settings))
        self.engine = InboundEngine(ports, store, wakeups, presence, self.background, links)
        self.catch_up = self.engine.catch_up(TeamsThreadHistory(platform.history, settings.teams_app_id))

    def activities(self, metrics: Metrics, ack_priority: AckPriority) -> Activities:
        """Who handles what Teams tells of."""
        cards = PersonalCards(self._store, self._platform)
        installation_updates = InstallationUpdates(
            self._platform.capabilities, self._store, self.engine.people, self._messenger
        )
        return Activities(
            self.engine, self.people, cards, installation_updates, self._platform, metrics, ack_priority
        )


async def _begin(credentials: Credentials, inbound: TeamsInbound, store: Store, tenant: str) -> None:
    """What waits until Microsoft has accepted the credentials."""
    await connect(credentials, store, tenant)
    await inbound.catch_up.run(tenant)


@asynccontextmanager
async def open_verifier(settings: Settings) -> AsyncIterator[TokenVerifier]:
    """Who verifies what arrives; fetches keys on connections of its own."""
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=not settings.teams_peer_is_local) as http:
        keys = SigningKeys(MetadataKeys(settings.teams_openid_metadata_url, http))
        issuer = settings.teams_token_issuer
        yield TokenVerifier(settings.teams_app_id, settings.teams_tenant_id, issuer, keys)


def _secret(settings: Settings) -> str:
    """The secret from which private links to the console are derived; it is not in the store.

    A managed identity has no secret: each process then has one of its own.
    """
    for secret in (settings.teams_app_password, settings.teams_outbound_token):
        if secret is not None:
            return secret.get_secret_value()
    return secrets.token_hex(32)
