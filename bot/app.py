"""The composition root: an async context manager that builds all services from the settings."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog
from aiohttp import web

from bot import local_token
from bot.core.addresses import is_every_address, is_loopback
from bot.core.errors import SettingsError
from bot.core.people.actor import Actor, Membership
from bot.core.ports.directory import MembershipLookup
from bot.core.project import Project
from bot.core.wakeups import Wakeups
from bot.delivery import count_delivering, delivering
from bot.metrics import Metrics
from bot.processes.delivery_process import DeliverySupervisor
from bot.processes.project_problems import ProjectProblems
from bot.processes.supervisor import Supervisor
from bot.setting_sources import with_source
from bot.settings import Settings
from bot.store.clock import run_clock
from bot.store.health import Outage
from bot.store.open import open_configured
from bot.surfaces.chat.connection import ConnectionStatus, ProcessServices
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.console.surface import Console, console_url
from bot.surfaces.http.api import open_api
from bot.surfaces.http.probes import Probes
from bot.surfaces.http.site import serving
from bot.surfaces.trust import FailedKeyAttempts, LocalTrust
from bot.surfaces.webhooks.surface import follow_endpoints
from bot.tasks import run_alongside

log = structlog.get_logger(__name__)

if TYPE_CHECKING:
    from bot.store.redis import RedisStore


class ChatSurface(Protocol):
    """A chat platform as the rest of the process uses it."""

    routes: list[web.RouteDef]
    #: Looks up the current membership of people of the platform.
    current_membership: MembershipLookup

    def status(self) -> ConnectionStatus:
        """Whether the platform is connected."""


@dataclass(frozen=True)
class App:
    """The running services of this process."""

    settings: Settings
    store: RedisStore
    wakeups: Wakeups
    metrics: Metrics
    supervisor: Supervisor
    #: Of the delivery process; None if nothing is delivered from here, or by this process itself.
    delivery: DeliverySupervisor | None
    #: The address for people and programs.
    url: str
    #: The chat platforms that are configured, by name.
    chats: Mapping[str, ChatSurface]
    #: Who may call without a key while no keys exist.
    trust: LocalTrust
    #: Messages about the API for the operator.
    notices: Sequence[str]

    def stop(self) -> None:
        """Ask all processes that belong to this one to stop."""
        self.supervisor.stop()
        if self.delivery is not None:
            self.delivery.stop()

    def kill(self) -> None:
        """End all processes that belong to this one at once."""
        self.supervisor.kill()
        if self.delivery is not None:
            self.delivery.kill()


@asynccontextmanager
async def running(settings: Settings, projects: Sequence[Project]) -> AsyncIterator[App]:
    """Run everything that belongs to `serve` during the block, workers and Valkey included.

    Raises SettingsError and StoreUnavailable with a message for the operator. A failing task cancels the
    block, so that the process doesn't continue in part.
    """
    metrics, wakeups = Metrics(), Wakeups()
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        store = await stack.enter_async_context(open_configured(settings))
        supervisor = Supervisor(settings, store.queue, metrics, projects, ProjectProblems(store.catalogue))
        tasks = (
            wakeups.follow(store.events),
            run_clock(store.clock, Outage()),
            store.directory.keep_groups_fresh(),
            supervisor.run(),
        )
        await stack.enter_async_context(run_alongside(*tasks))
        await follow_endpoints(settings, store)
        url = url_of(listener)
        services = ProcessServices(
            settings, store, wakeups, metrics, AckPriority(), console_url(settings, url)
        )
        delivery = await _open_delivery(stack, services)
        chats = await _open_chats(stack, services)
        trust, wrong_keys = await _trust(settings, store), FailedKeyAttempts()
        console = Console(settings, store, trust, wrong_keys, _membership_lookup(chats))
        api = await stack.enter_async_context(
            open_api(settings, store, wakeups, console.authenticator, trust=trust, wrong_keys=wrong_keys)
        )
        probes = Probes(
            store,
            metrics,
            surfaces=lambda: {name: chat.status().up for name, chat in chats.items()},
            delivering=partial(count_delivering, store.key_values, store.clock)
            if settings.delivers
            else None,
        )
        routes = [
            *probes.routes(),
            *console.routes(),
            *(each for chat in chats.values() for each in chat.routes),
        ]
        await stack.enter_async_context(serving(routes, listener, api))
        yield App(settings, store, wakeups, metrics, supervisor, delivery, url, chats, trust, api.notices)


async def _trust(settings: Settings, store: RedisStore) -> LocalTrust:
    """Who may call without a key. If keys exist already, nobody may, and no token is created.

    No token is created either if the server doesn't listen on loopback: it would be sent over a network.
    """
    exposed_by = settings.exposed_by
    at_home = is_loopback(settings.host) or is_every_address(settings.host)
    if not exposed_by or not at_home or settings.api_keys or await store.api_keys.locked():
        return LocalTrust(exposed_by)
    try:
        return LocalTrust(exposed_by, await asyncio.to_thread(local_token.read_or_create, settings.data_dir))
    except SettingsError as error:
        log.warning("This machine's user needs an API key too", reason=str(error))
        return LocalTrust(exposed_by)


async def _open_delivery(stack: AsyncExitStack, services: ProcessServices) -> DeliverySupervisor | None:
    """Have delivered what is to be delivered, in the way that the settings say."""
    settings = services.settings
    if not settings.delivers or settings.delivery == "none":
        return None
    if settings.delivery == "inside":
        await stack.enter_async_context(delivering(services))
        return None
    supervisor = DeliverySupervisor(services.metrics, services.console)
    await stack.enter_async_context(run_alongside(supervisor.run()))
    return supervisor


async def _open_chats(stack: AsyncExitStack, services: ProcessServices) -> dict[str, ChatSurface]:
    """The receiving parts of the configured chat platforms. Imported late: their libraries load slowly."""
    chats: dict[str, ChatSurface] = {}
    if services.settings.slack_on:
        from bot.surfaces.slack.surface import open_slack

        chats["slack"] = await stack.enter_async_context(open_slack(services))
    if services.settings.teams_on:
        from bot.surfaces.teams.surface import open_teams

        chats["teams"] = await stack.enter_async_context(open_teams(services))
    return chats


def _membership_lookup(chats: Mapping[str, ChatSurface]) -> MembershipLookup | None:
    """People are vouched for by the platform that they signed in from, as long as it is configured."""

    async def current_membership(person: Actor) -> Membership | None:
        # An actor of the console has the account that they signed in with as an identity.
        surfaces = (each.partition(":")[0] for each in person.identities)
        chat = next((chats[each] for each in surfaces if each in chats), None)
        return await chat.current_membership(person) if chat else None

    return current_membership if chats else None


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket before anything starts. Raises SettingsError if HOST or PORT is wrong.

    On `::` it takes IPv4 as well, where the system can do that.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        both = family is socket.AF_INET6 and is_every_address(host) and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=both)
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            why = "is in use" if error.errno == errno.EADDRINUSE else "may not be used by this user"
            remedy = "Set PORT to another one, or to 0 for any that is free."
            raise SettingsError(f"{with_source('PORT')}: {port} on {host} {why}. {remedy}") from error
        why = f"is no address of this machine ({error.strerror})"
        raise SettingsError(f"{with_source('HOST')}: {host} {why}.") from error


def url_of(listener: socket.socket) -> str:
    """The address of the listener for clients on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (includes loopback)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
