"""Calls of the Bot Connector: authorised, counted, and failures translated. None is made twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
import structlog

from bot.core.addresses import is_loopback
from bot.core.text import valid_json
from bot.metrics import Metrics
from bot.surfaces.chat.failures import (
    DEFAULT_RETRY_DELAY_S,
    CredentialsRefused,
    OutcomeUnknown,
    PlatformFailure,
    Rejected,
    RejectionReason,
    RetryLater,
    Unrenderable,
    retry_after,
)
from bot.surfaces.teams.credentials import CONNECTOR, Tokens

log = structlog.get_logger(__name__)

Json = dict[str, Any]

CALL_TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 5.0

NOT_DONE: Final = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.TOO_MANY_REQUESTS})
"""Statuses which say that nothing was done, and to try again."""
_REASONS: Mapping[str, RejectionReason] = {
    "BotNotInConversationRoster": RejectionReason.NOT_A_MEMBER,
    "ForbiddenOperationException": RejectionReason.NOT_A_MEMBER,
    "BotDisabledByAdmin": RejectionReason.POSTING_RESTRICTED,
    "MessageWritesBlocked": RejectionReason.DIRECT_MESSAGES_OFF,
    "ConversationBlockedByUser": RejectionReason.DIRECT_MESSAGES_OFF,
    "ConversationNotFound": RejectionReason.THREAD_GONE,
    "ActivityNotFoundInConversation": RejectionReason.MESSAGE_GONE,
}
_UNRENDERABLE: Final = frozenset({"BadSyntax", "BadArgument", "MessageSizeTooBig"})


class RateLimited(RetryLater):
    """Too many calls, by the platform's count. Nothing was done."""


class ConnectorClient:
    """The Bot Connector's REST API, and others with the same tokens."""

    def __init__(
        self, http: aiohttp.ClientSession, tokens: Tokens, metrics: Metrics, *, local_peer: bool = False
    ) -> None:
        """`local_peer`: the connector may be on this machine, without https."""
        self._http = http
        self._tokens = tokens
        self._metrics = metrics
        self._local_peer = local_peer

    async def call(
        self,
        operation: str,
        verb: str,
        url: str,
        body: Json | None = None,
        *,
        resource: str = CONNECTOR,
    ) -> Json:
        """Raises RetryLater (OutcomeUnknown, RateLimited), Rejected, Unrenderable, CredentialsRefused."""
        try:
            answer = await self._authorised(verb, self.checked(url), body, resource)
        except PlatformFailure as failure:
            self._count(operation, failure)
            raise
        self._metrics.web_api_calls.inc(f"teams.{operation}", "ok")
        return answer

    def checked(self, url: str) -> str:
        """The address, if it may be told our token. Raises Rejected."""
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise Rejected("insecure_service_url") from error
        local = self._local_peer and parts.scheme == "http" and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not local:
            raise Rejected("insecure_service_url")
        return url

    async def _authorised(self, verb: str, url: str, body: Json | None, resource: str) -> Json:
        """A refused token is replaced once: it may have been revoked, or our clock may be wrong."""
        token = await self._tokens.get(resource)
        status, answer = await self._send(verb, url, body, token)
        if status == HTTPStatus.UNAUTHORIZED:
            self._tokens.refused(token)
            token = await self._tokens.get(resource)
            status, answer = await self._send(verb, url, body, token)
        if isinstance(answer, PlatformFailure):
            raise answer
        return answer

    async def _send(
        self, verb: str, url: str, body: Json | None, token: str
    ) -> tuple[int, Json | PlatformFailure]:
        try:
            async with self._http.request(
                verb, url, json=body, headers={"Authorization": f"Bearer {token}"}, allow_redirects=False
            ) as response:
                answer = await _parsed(response)
                if response.ok:
                    return response.status, answer if isinstance(answer, dict) else {}
                return response.status, translated(response.status, response.headers, answer)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # Nothing was sent.
            return 0, RetryLater(DEFAULT_RETRY_DELAY_S, type(error).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, OutcomeUnknown(DEFAULT_RETRY_DELAY_S, type(error).__name__)

    def _count(self, operation: str, failure: PlatformFailure) -> None:
        name = f"teams.{operation}"
        if isinstance(failure, Rejected):
            self._metrics.web_api_calls.inc(name, failure.code)
        else:
            self._metrics.web_api_calls.inc(name, "later")
            self._metrics.web_api_retries.inc(name)


def translated(status: int, headers: Mapping[str, str], body: object) -> PlatformFailure:
    """The failure that an answer stands for."""
    code = _code(body) or f"status {status}"
    if status in NOT_DONE:
        return RateLimited(retry_after(headers), code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return OutcomeUnknown(retry_after(headers), code)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or (
        status == HTTPStatus.BAD_REQUEST and code in _UNRENDERABLE
    ):
        return Unrenderable(code)
    if status == HTTPStatus.UNAUTHORIZED:
        return CredentialsRefused(code)
    otherwise = RejectionReason.NOT_A_MEMBER if status == HTTPStatus.FORBIDDEN else RejectionReason.OTHER
    return Rejected(code, _REASONS.get(code, otherwise))


def _code(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code") or "")[:100] if isinstance(error, dict) else ""


async def _parsed(response: aiohttp.ClientResponse) -> object:
    """The answer's JSON, as valid text; None if it is none."""
    raw = await response.read()
    try:
        return valid_json(json.loads(raw)) if raw else None
    except (ValueError, RecursionError):
        return None


def address(service_url: str, *parts: str) -> str:
    """The address of something that the service has, each part escaped."""
    return "/".join([f"{service_url.rstrip('/')}/v3", *(quote(part, safe="") for part in parts)])
