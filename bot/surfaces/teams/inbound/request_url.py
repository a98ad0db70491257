"""The messaging endpoint: everything that Teams tells of arrives here, as activities over HTTP.

Nothing of a body is parsed before its token is verified. Whatever is wrong ends in a 4xx without an effect.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from pydantic import ValidationError

from bot.core.text import valid_object
from bot.surfaces.chat.inbound.ports import Unacceptable
from bot.surfaces.teams.inbound.payloads import Activity
from bot.surfaces.teams.inbound.token_verifier import (
    CHANNEL,
    KeysUnavailable,
    TokenVerifier,
    Unauthorized,
    VerifiedToken,
)

log = structlog.get_logger(__name__)

PATH = "/api/messages"
MAX_BODY_BYTES = 1024 * 1024
RETRY_AFTER_S = 5


@dataclass(frozen=True)
class ActivityResponse:
    """What Teams is answered. Only invokes have a body."""

    status: int = 200
    body: Mapping[str, Any] | None = None


Dispatch = Callable[[Mapping[str, Any], Activity], Awaitable[ActivityResponse]]
"""Handles a verified activity: as it came, and what is read of it."""


class RequestUrl:
    """Accepts the activities of one tenant that Teams signed, and nothing else."""

    def __init__(self, verifier: TokenVerifier, tenant: str, dispatch: Dispatch, *, local: bool) -> None:
        """`local`: a peer on this machine plays Teams, which may be called without TLS."""
        self._verifier = verifier
        self._tenant = tenant
        self._dispatch = dispatch
        self._local = local

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """Our answer, or 400, 401, 403, 413; 503 where the keys can't be fetched: Teams sends it again."""
        try:
            verified = await self._verifier.verify(request.headers.get("Authorization", ""))
            payload = parsed(await request.read())
            activity = self.admitted(payload, verified)
        except Unauthorized as wrong:
            log.info("a request was refused", status=401, why=str(wrong))
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        except KeysUnavailable:
            return web.Response(status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
        except Unacceptable as wrong:
            log.info("a request was refused", status=wrong.status, why=str(wrong))
            return web.Response(status=wrong.status, text=str(wrong))
        answer = await self._dispatch(payload, activity)
        if answer.body is None:
            return web.Response(status=answer.status)
        return web.json_response(answer.body, status=answer.status)

    def admitted(self, payload: Mapping[str, Any], verified: VerifiedToken) -> Activity:
        """The activity, if it is of this tenant's Teams and of the service that signed it.

        Raises Unacceptable.
        """
        activity = read(payload)
        if activity.service_url.rstrip("/") != verified.service_url.rstrip("/"):
            raise Unacceptable(401, "the token is for another service URL")
        if not activity.service_url.startswith("https://") and not self._local:
            raise Unacceptable(401, "the service URL is without TLS")
        if activity.channel_id != CHANNEL and not self._local:
            # Clients of other channels, such as Direct Line, say themselves who they are.
            raise Unacceptable(403, "this is another channel's")
        if activity.tenants != {self._tenant}:
            raise Unacceptable(403, "this is another tenant's")
        return activity


def parsed(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body, with valid text only. Raises Unacceptable."""
    if len(body) > MAX_BODY_BYTES:
        raise Unacceptable(413, "too long")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unacceptable(400, "not JSON") from error
    if not isinstance(payload, dict):
        raise Unacceptable(400, "not an activity")
    return valid_object(payload)


def read(payload: Mapping[str, Any]) -> Activity:
    """What is used of an activity. Raises Unacceptable."""
    try:
        return Activity.model_validate(payload)
    except ValidationError as error:
        log.warning("an activity doesn't have Teams' format", problems=error.error_count())
        raise Unacceptable(400, "not an activity that Teams sends") from error
