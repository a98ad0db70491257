"""What becomes of the app in its workspace, and its Home tab."""

from __future__ import annotations

import re
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from bot.core.ports import Runs
from bot.surfaces.chat.inbound.pending_requests import Delivery
from bot.surfaces.chat.inbound.reply import SILENT, Reply, ReplyTarget
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.inbound.ack_handler import AckHandler, shaped
from bot.surfaces.slack.inbound.payloads import Changed, Event, Opened, Revoked
from bot.surfaces.slack.inbound.people import People

log = structlog.get_logger(__name__)

REVOKED = "the app's token was revoked; install the app again and restart Crewdeck with the new token"
UNINSTALLED = (
    "the app was removed from the workspace; install it again and restart Crewdeck with the new token"
)


def listen(app: AsyncApp, desk: AckHandler, runs: Runs, people: People, home: Home) -> None:
    """Take what is neither said nor pressed."""

    @app.event("app_home_opened")
    @shaped
    async def app_home_opened(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        event = Event.model_validate(body)
        opened = Opened.model_validate(event.event)
        line = ReplyTarget(event.team, opened.user)
        delivery = Delivery(f"slack:{event.team}:event:{event.event_id}", line, body)
        return await desk.hear(delivery, _open_home(event.team, opened), ack)

    async def _open_home(team: str, opened: Opened) -> Reply:
        if opened.tab != "home":
            return SILENT
        actor = await people.actor(opened.user, team)
        return Reply(then=lambda: home.opened(actor))

    @app.event("tokens_revoked")
    @shaped
    async def tokens_revoked(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        event = Event.model_validate(body)
        # Tokens of single people are none of ours.
        ours = bool(Revoked.model_validate(event.event).tokens.bot)
        return await desk.hear(_of(event, body), _pause(event.team, REVOKED) if ours else _nothing(), ack)

    @app.event("app_uninstalled")
    @shaped
    async def app_uninstalled(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        event = Event.model_validate(body)
        return await desk.hear(_of(event, body), _pause(event.team, UNINSTALLED), ack)

    async def _pause(team: str, reason: str) -> Reply:
        await runs.pause_tenant(team, reason)
        log.error("a workspace is paused", team=team, reason=reason)
        return SILENT

    @app.event("user_change")
    @shaped
    async def user_change(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        event = Event.model_validate(body)
        changed = Changed.model_validate(event.event)
        return await desk.hear(_of(event, body), _forget(changed.user.id), ack)

    async def _forget(user: str) -> Reply:
        await people.changed(user)
        return SILENT

    # Last: everything else is acknowledged, so that Slack does not send it again.
    @app.event(re.compile(r".*"))
    async def unheeded(ack: AsyncAck) -> None:
        await ack()


async def _nothing() -> Reply:
    return SILENT


def _of(event: Event, body: dict[str, Any]) -> Delivery:
    return Delivery(f"slack:{event.team}:event:{event.event_id}", ReplyTarget(event.team, ""), body)
