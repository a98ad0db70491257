"""The app's credentials: which they are, the tokens issued for them, and whether Microsoft accepts them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

import aiohttp
import structlog

from bot.core.ports.store import Store
from bot.settings import Settings
from bot.surfaces.chat.connection import resume_workspace, until_accepted
from bot.surfaces.chat.failures import CredentialsRefused, Rejected, RetryLater

log = structlog.get_logger(__name__)

CONNECTOR: Final = "https://api.botframework.com"
GRAPH: Final = "https://graph.microsoft.com"
GRAPH_URL: Final = f"{GRAPH}/v1.0"
LOGIN_URL: Final = "https://login.microsoftonline.com"
RENEWAL_S = 300.0
"""Seconds before its end at which a token is renewed."""
RETRY_DELAY_S = 2.0
REFUSED_STATUSES = range(400, 500)
_TRANSIENT = frozenset({"temporarily_unavailable", "server_error"})


@dataclass(frozen=True)
class IssuedToken:
    """A token, and for how many seconds it is good."""

    token: str
    expires_in_s: float


class TokenIssuer(Protocol):
    """Where tokens come from."""

    async def issue(self, resource: str) -> IssuedToken:
        """A token for a resource. Raises RetryLater, CredentialsRefused."""


class FixedToken:
    """One token that needs no issuing, for local peers."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def issue(self, resource: str) -> IssuedToken:
        del resource
        return IssuedToken(self._token, float("inf"))


class ClientSecret:
    """Tokens for an app's password, from its own tenant."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        app_id: str,
        tenant_id: str,
        secret: str,
        login_url: str = LOGIN_URL,
    ) -> None:
        self._http = http
        self._url = f"{login_url}/{tenant_id}/oauth2/v2.0/token"
        self._form = {"grant_type": "client_credentials", "client_id": app_id, "client_secret": secret}

    async def issue(self, resource: str) -> IssuedToken:
        form = {**self._form, "scope": f"{resource}/.default"}
        try:
            async with self._http.post(self._url, data=form, allow_redirects=False) as response:
                return _issued(response.status, await response.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise RetryLater(RETRY_DELAY_S, f"no token: {type(error).__name__}") from error


class ManagedIdentity:
    """Tokens for the identity of the machine, whose client id is the app's."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._client: Any = None

    async def issue(self, resource: str) -> IssuedToken:
        try:
            return _issued(HTTPStatus.INTERNAL_SERVER_ERROR, await asyncio.to_thread(self._acquire, resource))
        except (OSError, ValueError) as error:
            raise RetryLater(RETRY_DELAY_S, f"no token: {type(error).__name__}") from error

    def _acquire(self, resource: str) -> Mapping[str, Any]:
        """Blocks; MSAL knows where each kind of machine has its identity."""
        import msal
        import requests

        if self._client is None:
            identity = msal.UserAssignedManagedIdentity(client_id=self._app_id)
            self._client = msal.ManagedIdentityClient(identity, http_client=requests.Session())
        found: Mapping[str, Any] = self._client.acquire_token_for_client(resource=resource)
        return found


def _issued(status: int, answer: object) -> IssuedToken:
    fields = answer if isinstance(answer, dict) else {}
    token, seconds, said = fields.get("access_token"), fields.get("expires_in"), fields.get("error")
    if isinstance(token, str) and token:
        return IssuedToken(token, float(seconds) if isinstance(seconds, int | float | str) else RENEWAL_S)
    error = said[:100] if isinstance(said, str) and said else f"status {status}"
    if status not in REFUSED_STATUSES or status == HTTPStatus.TOO_MANY_REQUESTS or error in _TRANSIENT:
        raise RetryLater(RETRY_DELAY_S, f"no token: {error}")
    raise CredentialsRefused(error)


class Tokens:
    """Tokens by resource, each kept until shortly before its end."""

    def __init__(self, issuer: TokenIssuer, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._kept: dict[str, tuple[str, float]] = {}
        self._lock = asyncio.Lock()

    async def get(self, resource: str = CONNECTOR) -> str:
        """Raises RetryLater, CredentialsRefused."""
        async with self._lock:
            token, until = self._kept.get(resource, ("", 0.0))
            if not token or self._clock() >= until:
                issued = await self._issuer.issue(resource)
                token = issued.token
                self._kept[resource] = (token, self._clock() + issued.expires_in_s - RENEWAL_S)
            return token

    def refused(self, token: str) -> None:
        """Forget a token that was not accepted, so that the next call gets another one."""
        self._kept = {name: kept for name, kept in self._kept.items() if kept[0] != token}


# ── the app ─────────────────────────────────────────────────────────────────────────────────────────────


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
