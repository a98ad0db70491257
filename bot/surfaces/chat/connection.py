"""Whether a surface is connected to its platform, and what goes on once it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import Runs

log = structlog.get_logger(__name__)

RETRY_DELAY_S = 2.0


@dataclass(frozen=True)
class ConnectionStatus:
    """Whether the platform's side is in order, and if not, why."""

    up: bool
    problem: str = ""


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
