"""What a chat surface is opened with, and whether the platform accepts its credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Never, TypeVar

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.store import Runs, Store
from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.failures import PlatformFailure, Rejected, RetryLater
from bot.surfaces.chat.flow_control import AckPriority

log = structlog.get_logger(__name__)

RETRY_DELAY_S = 2.0
REFUSED_RETRY_DELAY_S = 60.0
"""Refused credentials are tried again: it may have been a mistake on the platform's side."""

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessServices:
    """What a process hands to each chat surface that it opens, and to their delivery; it runs `wakeups`."""

    settings: Settings
    store: Store
    wakeups: Wakeups
    metrics: Metrics
    ack_priority: AckPriority
    #: The address where people find the console.
    console: str


@dataclass(frozen=True)
class ConnectionStatus:
    """Whether the platform's side is in order, and if not, why."""

    up: bool
    problem: str = ""


async def until_accepted(
    platform: str, attempt: Callable[[], Awaitable[T]], refused: Callable[[Rejected], None]
) -> T:
    """Return what `attempt` returns once the platform takes the app's credentials, however long that takes.

    `refused` is called with each refusal.
    """
    while True:
        try:
            return await attempt()
        except RetryLater as later:
            log.warning("a platform can't be reached; trying again", platform=platform, seconds=later.seconds)
            await asyncio.sleep(later.seconds)
        except Rejected as rejected:
            refused(rejected)
            await asyncio.sleep(REFUSED_RETRY_DELAY_S)


async def resume_workspace(runs: Runs, tenant: str) -> None:
    """The platform takes the app's credentials: a paused workspace goes on, once the store is there."""
    while True:
        try:
            if await runs.pause_reason(tenant) is not None:
                await runs.pause_tenant(tenant, None)
                log.info("the workspace's runs continue", tenant=tenant)
        except StoreUnavailable:
            await asyncio.sleep(RETRY_DELAY_S)
        else:
            return


async def keep_resumed(
    runs: Runs, tenant: str, attempt: Callable[[], Awaitable[object]], reasons: Collection[str]
) -> Never:
    """Resume a workspace that is paused for one of these reasons while the platform takes the credentials.

    The platform may report late, or twice, that former credentials ended. Runs for ever.
    """
    while True:
        await asyncio.sleep(REFUSED_RETRY_DELAY_S)
        try:
            if await runs.pause_reason(tenant) in reasons:
                await attempt()
                await runs.pause_tenant(tenant, None)
                log.info("the credentials are accepted: the workspace's runs continue", tenant=tenant)
        except (StoreUnavailable, PlatformFailure) as failure:
            log.debug("a paused workspace stays paused", tenant=tenant, why=str(failure))
