"""The app and its credentials, as receiving and delivery need them."""

from __future__ import annotations

import asyncio

import structlog

from bot.core.ports import Store
from bot.settings import Settings
from bot.surfaces.chat.connection import resume_workspace
from bot.surfaces.chat.failures import Later, ShutOut
from bot.surfaces.teams.connector.platform import TeamsApp
from bot.surfaces.teams.connector.tokens import Tokens

log = structlog.get_logger(__name__)

REFUSED_RETRY_DELAY_S = 60.0
"""Refused credentials are tried again: it may have been a mistake on Microsoft's side."""


class Credentials:
    """Whether Microsoft takes the app's credentials, learnt at start-up."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.problem = "Microsoft has not answered yet"

    async def learn(self) -> None:
        """Return when a token was issued, however long that takes."""
        while self.problem:
            try:
                await self._tokens.get()
            except Later as later:
                log.warning("Microsoft can't be reached; trying again", seconds=later.seconds)
                await asyncio.sleep(later.seconds)
            except ShutOut as refused:
                self.problem = f"the credentials of TEAMS_APP_ID are refused: {refused.code}"
                log.error("the app's credentials are refused", setting="TEAMS_APP_ID", code=refused.code)  # noqa: TRY400
                await asyncio.sleep(REFUSED_RETRY_DELAY_S)
            else:
                self.problem = ""
                log.info("connected to Microsoft Teams")


async def connect(credentials: Credentials, store: Store, tenant: str) -> None:
    """What was paused since Microsoft refused the credentials goes on once it takes them."""
    await credentials.learn()
    await resume_workspace(store.runs, tenant)


def teams_app(settings: Settings, console: str) -> TeamsApp:
    """The app that the settings describe."""
    password, outbound = settings.teams_app_password, settings.teams_outbound_token
    return TeamsApp(
        settings.teams_app_id,
        settings.teams_tenant_id,
        password=password.get_secret_value() if password else "",
        outbound_token=outbound.get_secret_value() if outbound else "",
        managed_identity=settings.teams_managed_identity,
        console=console,
        local_peer=settings.teams_peer_is_local,
    )
