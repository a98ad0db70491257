"""The app and its credentials: from the settings, and whether Microsoft accepts them."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
import structlog

from bot.core.ports import Store
from bot.settings import Settings
from bot.surfaces.chat.connection import resume_workspace, until_accepted
from bot.surfaces.chat.failures import Rejected
from bot.surfaces.teams.connector.tokens import (
    GRAPH_URL,
    LOGIN_URL,
    ClientSecret,
    FixedToken,
    ManagedIdentity,
    TokenIssuer,
    Tokens,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class TeamsApp:
    """What the app is, and how it proves it: by a fixed token, a password, or a managed identity."""

    app_id: str
    tenant_id: str
    password: str = ""
    outbound_token: str = ""
    managed_identity: bool = False
    #: The console's address for people; files are shown there if it is public.
    console: str = ""
    #: The Bot Connector is a peer on this machine, which needs no https.
    local_peer: bool = False
    login_url: str = LOGIN_URL
    graph_url: str = GRAPH_URL

    @classmethod
    def of(cls, settings: Settings, console: str) -> TeamsApp:
        """The app that the settings describe."""
        password, outbound = settings.teams_app_password, settings.teams_outbound_token
        return cls(
            settings.teams_app_id,
            settings.teams_tenant_id,
            password=password.get_secret_value() if password else "",
            outbound_token=outbound.get_secret_value() if outbound else "",
            managed_identity=settings.teams_managed_identity,
            console=console,
            local_peer=settings.teams_peer_is_local,
        )

    def issuer(self, http: aiohttp.ClientSession) -> TokenIssuer:
        """Where its tokens come from."""
        if self.outbound_token:
            return FixedToken(self.outbound_token)
        if self.password:
            return ClientSecret(http, self.app_id, self.tenant_id, self.password, self.login_url)
        return ManagedIdentity(self.app_id)


class Credentials:
    """Whether Microsoft takes the app's credentials, learnt at start-up."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.problem = "Microsoft has not answered yet"

    async def learn(self) -> None:
        """Return when a token was issued, however long that takes."""
        if self.problem:
            await until_accepted("Microsoft", self._tokens.get, self._refused)
            self.problem = ""
            log.info("connected to Microsoft Teams")

    def _refused(self, rejected: Rejected) -> None:
        self.problem = f"the credentials of TEAMS_APP_ID are refused: {rejected.code}"
        log.error("the app's credentials are refused", setting="TEAMS_APP_ID", code=rejected.code)


async def connect(credentials: Credentials, store: Store, tenant: str) -> None:
    """Resume what was paused since Microsoft refused the credentials, once it accepts them."""
    await credentials.learn()
    await resume_workspace(store.runs, tenant)
