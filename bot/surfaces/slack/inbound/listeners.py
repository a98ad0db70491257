"""The listeners: they read payloads, hand what people did to the inbound engine, and acknowledge.

A payload that lacks what every one of its kind has raises pydantic's ValidationError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from bot.core.ports import Runs
from bot.surfaces.chat.inbound.ack_handler import ACK_TIMEOUT_S, Work
from bot.surfaces.chat.inbound.commands import CommandContext
from bot.surfaces.chat.inbound.engine import InboundEngine
from bot.surfaces.chat.inbound.interactions import SILENT, InboundRequest, Reply, ReplyTarget
from bot.surfaces.chat.wording import sentences
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.inbound import acknowledgement, words
from bot.surfaces.slack.inbound.acknowledgement import NOTHING, SEND_AGAIN, Ack, Acknowledgement, Carry
from bot.surfaces.slack.inbound.dispatcher import Listener
from bot.surfaces.slack.inbound.payloads import (
    BlockAction,
    Changed,
    Command,
    Event,
    Opened,
    Revoked,
    Submission,
)
from bot.surfaces.slack.inbound.people import SlackActors
from bot.surfaces.slack.webapi.installed import Installed

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Listeners:
    """One listener for each kind of payload."""

    engine: InboundEngine
    installed: Installed
    people: SlackActors
    runs: Runs
    home: Home

    def by_kind(self) -> Mapping[str, Listener]:
        return {
            "command": self.command,
            "event_callback": self.event,
            "block_actions": self.press,
            "view_submission": self.submission,
            "view_closed": self.closed,
        }

    # ── interactions ────────────────────────────────────────────────────────────────────────────────────

    async def command(self, body: Mapping[str, Any]) -> Acknowledgement:
        given = Command.model_validate(body)
        request = InboundRequest(given.key, given.reply_to, body, form_handle=given.trigger_id)
        return await self._interaction(request, self._command(given), acknowledgement.of_command)

    async def _command(self, given: Command) -> Reply:
        actor = await self.engine.people.actor(given.user_id)
        text = words.plain(given.text)
        return await self.engine.commands.execute(
            CommandContext(text, actor, given.key, given.reply_to, form_handle=given.trigger_id)
        )

    async def press(self, body: Mapping[str, Any]) -> Acknowledgement:
        pressed = BlockAction.model_validate(body)
        press = pressed.press()
        request = InboundRequest(press.key, press.reply_to, body, pressed.trigger_id, press.form_id)
        return await self._interaction(request, self.engine.presses.handle(press), acknowledgement.of_press)

    async def submission(self, body: Mapping[str, Any]) -> Acknowledgement:
        submission = Submission.model_validate(body)
        sent = submission.form_submission()
        request = InboundRequest(sent.key, sent.reply_to, body, submission.trigger_id)
        carry = partial(acknowledgement.of_modal, first_input=submission.view.first_input)
        return await self._interaction(request, self.engine.forms.handle(sent), carry)

    async def closed(self, body: Mapping[str, Any]) -> Acknowledgement:
        """Somebody closed a modal without sending it: what they had filled in is kept."""
        sent = Submission.model_validate(body).form_submission()
        request = InboundRequest(f"{sent.key}:closed", sent.reply_to, body)
        return await self._interaction(request, self.engine.forms.close(sent), acknowledgement.of_press)

    async def _interaction(self, request: InboundRequest, work: Work, carry: Carry) -> Acknowledgement:
        ack = Ack(carry)
        await self.engine.ack_handler.handle_interaction(request, work, ack)
        return ack.given

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────

    async def event(self, body: Mapping[str, Any]) -> Acknowledgement:
        """Events that nothing is done about are acknowledged, so that Slack does not send them again."""
        event = Event.model_validate(body)
        listeners = {
            "app_mention": self._mention,
            "message": self._message,
            "app_home_opened": self._home_opened,
            "tokens_revoked": self._tokens_revoked,
            "app_uninstalled": self._app_uninstalled,
            "user_change": self._user_change,
        }
        listener = listeners.get(str(event.event.get("type")))
        return await listener(event, body) if listener else NOTHING

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def _mention(self, event: Event, body: Mapping[str, Any]) -> Acknowledgement:
        message = event.incoming(self.installed.team, self.installed.user)
        # A key other than the same message's event, so that each may have something to say.
        request = InboundRequest(f"{message.key}:mention", message.reply_to, body)
        return await self._event(request, self.engine.router.mention(message))

    async def _message(self, event: Event, body: Mapping[str, Any]) -> Acknowledgement:
        message = event.incoming(self.installed.team, self.installed.user)
        request = InboundRequest(message.key, message.reply_to, body)
        if (work := await self.engine.router.orphan(message)) is not None:
            return await self._event(request, work, ack_timeout_s=0)
        return await self._event(request, self.engine.router.message(message))

    # ── the app in its workspace ────────────────────────────────────────────────────────────────────────

    async def _home_opened(self, event: Event, body: Mapping[str, Any]) -> Acknowledgement:
        opened = Opened.model_validate(event.event)
        request = InboundRequest(event.key, ReplyTarget(event.team, opened.user), body)
        return await self._event(request, self._open_home(event.team, opened))

    async def _open_home(self, team: str, opened: Opened) -> Reply:
        if opened.tab != "home":
            return SILENT
        actor = await self.engine.people.actor(opened.user, team)
        return Reply(then=lambda: self.home.opened(actor))

    async def _tokens_revoked(self, event: Event, body: Mapping[str, Any]) -> Acknowledgement:
        # Tokens of single people are none of ours.
        ours = bool(Revoked.model_validate(event.event).tokens.bot)
        work = self._pause(event.team, sentences.ACCESS_REVOKED) if ours else _nothing()
        return await self._event(_of_nobody(event, body), work)

    async def _app_uninstalled(self, event: Event, body: Mapping[str, Any]) -> Acknowledgement:
        return await self._event(_of_nobody(event, body), self._pause(event.team, sentences.APP_REMOVED))

    async def _pause(self, team: str, reason: str) -> Reply:
        await self.runs.pause_tenant(team, reason)
        log.error("a workspace is paused", team=team, reason=reason)
        return SILENT

    async def _user_change(self, event: Event, body: Mapping[str, Any]) -> Acknowledgement:
        changed = Changed.model_validate(event.event)
        return await self._event(_of_nobody(event, body), self._forget(changed.user.id))

    async def _forget(self, user: str) -> Reply:
        await self.people.changed(user)
        return SILENT

    async def _event(
        self, request: InboundRequest, work: Work, ack_timeout_s: float = ACK_TIMEOUT_S
    ) -> Acknowledgement:
        handled = await self.engine.ack_handler.handle_event(request, work, _on_return, ack_timeout_s)
        return NOTHING if handled else SEND_AGAIN


async def _on_return() -> None:
    """An event is acknowledged by what its listener returns."""


async def _nothing() -> Reply:
    return SILENT


def _of_nobody(event: Event, body: Mapping[str, Any]) -> InboundRequest:
    return InboundRequest(event.key, ReplyTarget(event.team, ""), body)
