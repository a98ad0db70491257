"""Bolt: one application behind both transports, authorized without a call to Slack.

Bolt answers once a listener has ended (`process_before_response`); otherwise it would look for an
acknowledgement every 10 ms only. `guard` verifies signatures.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import structlog
from pydantic import ValidationError
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.text import valid_object
from bot.metrics import Metrics
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.inbound.ports import Payload
from bot.surfaces.slack.inbound.event_payloads import Event
from bot.surfaces.slack.inbound.payloads import BlockAction, Command, Submission
from bot.surfaces.slack.inbound.replays import SignedRequest
from bot.surfaces.slack.webapi.installation import SlackInstallation

log = structlog.get_logger(__name__)

KINDS = {
    "command": "command",
    "event_callback": "event",
    "block_actions": "press",
    "view_submission": "modal",
    "view_closed": "modal",
}
"""Labels of the metrics."""

SHAPES: Mapping[str, type[Payload]] = {
    "command": Command,
    "event_callback": Event,
    "block_actions": BlockAction,
    "view_submission": Submission,
    "view_closed": Submission,
}
"""What is taken in; everything else is acknowledged."""


class InstalledApp(AsyncAuthorize):
    """What Bolt's listeners act as: our own installation, whoever asks."""

    def __init__(self, installation: SlackInstallation) -> None:
        self._installation = installation

    async def __call__(
        self, *, team_id: str | None, enterprise_id: str | None, **_: object
    ) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_user_id=self._installation.user or None,
            bot_id=self._installation.bot or None,
        )


def application(installation: SlackInstallation, api_url: str) -> AsyncApp:
    """A Bolt application without listeners."""
    # Below errors, Bolt speaks of listeners and tokens that are ours to decide, or quotes bodies.
    logger = logging.getLogger("crewdeck.bolt")
    logger.setLevel(logging.ERROR)
    return AsyncApp(
        name="crewdeck",
        logger=logger,
        client=AsyncWebClient(base_url=api_url),
        authorize=InstalledApp(installation),
        process_before_response=True,
        request_verification_enabled=False,
        ssl_check_enabled=False,
        url_verification_enabled=False,
        ignoring_self_events_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )


ENVELOPES: Mapping[str, frozenset[str]] = {
    "slash_commands": frozenset({"command"}),
    "events_api": frozenset({"event_callback"}),
    "interactive": frozenset({"block_actions", "view_submission", "view_closed"}),
}
"""What each kind of envelope of Socket Mode may hold."""


def kind_of(payload: Mapping[str, Any]) -> str:
    """`command`, or Slack's `type`."""
    return "command" if "command" in payload else str(payload.get("type"))


class Dispatcher:
    """Hands verified payloads to Bolt, and measures how long their acknowledgement takes."""

    def __init__(self, app: AsyncApp, metrics: Metrics, ack_priority: AckPriority) -> None:
        self._app = app
        self._ack_priority = ack_priority
        self._metrics = metrics

    async def dispatch(self, payload: Mapping[str, Any], signed: SignedRequest | None = None) -> BoltResponse:
        """The acknowledgement of one request; 400 for what has not Slack's shape.

        `signed`: how a replay is recognised, which is acknowledged, and with which nothing is done.
        """
        started = perf_counter()
        payload = valid_object(payload)
        kind = kind_of(payload)
        if kind not in SHAPES:
            return BoltResponse(status=200, body="")  # of no use here, and not to be sent again
        request = _request(kind, payload)
        if request is None:
            return BoltResponse(status=400, body="not something that Slack sends")
        if kind == "command":
            request.context["signed"] = signed  # Its listener checks it, while it does what it can.
        elif signed is not None and not await signed.first_time():
            return BoltResponse(status=200, body="")
        with self._ack_priority.acknowledging():
            response = await self._app.async_dispatch(request)
        self._metrics.acks.observe(KINDS[kind], perf_counter() - started)
        return response

    async def replay(self, payload: Mapping[str, Any]) -> int:
        """Handle a saved payload; the status of its acknowledgement, which reaches nobody."""
        return (await self.dispatch(payload)).status


def _request(kind: str, payload: Mapping[str, Any]) -> AsyncBoltRequest | None:
    """The request of a payload; None for what has not Slack's shape."""
    try:
        given = _parsed(kind, payload)
        # Bolt's mode for payloads that are parsed already; it says nothing of the transport.
        request = AsyncBoltRequest(mode="socket_mode", body=dict(payload))
    except ValidationError as error:
        log.warning("a payload doesn't have Slack's format", problems=error.error_count())
    except (AttributeError, LookupError, TypeError) as error:
        # Bolt reads ids of parts that we don't need.
        log.warning("a payload doesn't have Slack's format", why=str(error))
    else:
        request.context["given"] = given  # What its listener takes.
        return request
    return None


def _parsed(kind: str, payload: Mapping[str, Any]) -> Payload:
    """Bolt takes it for granted that a payload has the parts of its kind. Raises what `_request` expects."""
    given = SHAPES[kind].model_validate(payload)
    if "type" not in (payload.get("view") or {"type": ""}):
        raise LookupError("a view without a type")
    return given
