"""Bolt's listeners: they read payloads, hand what people did to the inbound engine, and acknowledge."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import structlog
from pydantic import ValidationError
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from bot.core import ids
from bot.core.errors import Replayed
from bot.core.people.actor import Actor
from bot.core.ports.store import Runs
from bot.surfaces.chat.inbound.ack_handler import ACK_TIMEOUT_S, Acknowledge, Work
from bot.surfaces.chat.inbound.commands import CommandContext
from bot.surfaces.chat.inbound.engine import InboundEngine
from bot.surfaces.chat.inbound.once import Once
from bot.surfaces.chat.inbound.parser import is_start
from bot.surfaces.chat.inbound.ports import SILENT, BeforeAsking, InboundRequest, Reply, ReplyTarget
from bot.surfaces.chat.wording import sentences
from bot.surfaces.chat.wording.question_forms import WHOLE_FORM
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.inbound import words
from bot.surfaces.slack.inbound.event_payloads import AppHomeOpened, Event, TokensRevoked, UserChanged
from bot.surfaces.slack.inbound.payloads import BlockAction, Command, Submission
from bot.surfaces.slack.inbound.people import SlackActors
from bot.surfaces.slack.inbound.replays import SignedRequest, log_replay
from bot.surfaces.slack.renderer import render_form, render_message
from bot.surfaces.slack.webapi.installation import SlackInstallation
from bot.tasks import running_meanwhile

log = structlog.get_logger(__name__)

SEND_AGAIN = 503

Listener = Callable[..., Awaitable[BoltResponse | None]]


def checked(listener: Listener) -> Listener:
    """Refuse a signed payload that lacks what every one of its kind has."""

    @wraps(listener)
    async def listen(**given: Any) -> BoltResponse | None:
        try:
            return await listener(**given)
        except ValidationError as error:
            log.warning("a payload doesn't have Slack's format", problems=error.error_count())
            return BoltResponse(status=400, body="not something that Slack sends")

    return listen


@dataclass(frozen=True)
class Listeners:
    """Registers all listeners; the first one that matches takes a request."""

    engine: InboundEngine
    installation: SlackInstallation
    people: SlackActors
    runs: Runs
    home: Home

    def register(self, app: AsyncApp) -> None:
        anything = re.compile(r".*")
        # Whatever an administrator called our command, there is one.
        app.command(re.compile(r".+"))(checked(self.command))
        app.action(anything)(checked(self.press))
        app.view(anything)(checked(self.submission))
        app.view_closed(anything)(checked(self.closed))
        app.event("app_mention")(checked(self.mention))
        app.event("message")(checked(self.message))
        app.event("app_home_opened")(checked(self.home_opened))
        app.event("tokens_revoked")(checked(self.tokens_revoked))
        app.event("app_uninstalled")(checked(self.app_uninstalled))
        app.event("user_change")(checked(self.user_change))
        # Last: everything else is acknowledged, so that Slack does not send it again.
        app.event(anything)(_ignored)

    # ── interactions ────────────────────────────────────────────────────────────────────────────────────

    async def command(
        self, ack: AsyncAck, body: dict[str, Any], given: Command, signed: SignedRequest | None
    ) -> None:
        request = InboundRequest(given.key, given.reply_to, body, form_handle=given.trigger_id)
        work = self._command(given, signed)
        await self.engine.ack_handler.handle_interaction(request, work, _with_text(ack))

    async def _command(self, given: Command, signed: SignedRequest | None) -> Reply:
        text = words.read(words.plain(given.text))
        try:
            if signed is None:
                return await self._execute(text, given, await self._actor(given))
            if is_start(text):
                return await self._start(text, given, signed.once_with(ids.run_id(given.key)))
            with running_meanwhile(self._actor(given)) as actor:
                await signed.once().use()
                return await self._execute(text, given, await actor)
        except Replayed:
            log_replay()
            return SILENT

    async def _start(self, text: str, given: Command, once: Once) -> Reply:
        """Start a run, and record the request in the same write. Whatever else happens, it is recorded."""
        try:
            actor = await self._actor(given, before_asking=once.use)
            reply = await self._execute(text, given, actor, once)
        except Exception:
            await once.use()
            raise
        await once.use()
        return reply

    async def _actor(self, given: Command, before_asking: BeforeAsking | None = None) -> Actor:
        return await self.engine.people.actor(given.user_id, before_asking=before_asking)

    async def _execute(self, text: str, given: Command, actor: Actor, once: Once | None = None) -> Reply:
        return await self.engine.commands.execute(
            CommandContext(text, actor, given.key, given.reply_to, form_handle=given.trigger_id, once=once)
        )

    async def press(self, ack: AsyncAck, body: dict[str, Any], given: BlockAction) -> None:
        press = given.press()
        request = InboundRequest(press.key, press.reply_to, body, given.trigger_id, press.form_id)
        await self.engine.ack_handler.handle_interaction(
            request, self.engine.presses.handle(press), _empty(ack)
        )

    async def submission(self, ack: AsyncAck, body: dict[str, Any], given: Submission) -> None:
        sent = given.form_submission()
        request = InboundRequest(sent.key, sent.reply_to, body, given.trigger_id)
        acknowledge = _in_modal(ack, given.view.first_input)
        await self.engine.ack_handler.handle_interaction(request, self.engine.forms.handle(sent), acknowledge)

    async def closed(self, ack: AsyncAck, body: dict[str, Any], given: Submission) -> None:
        """Somebody closed a modal without sending it: what they had filled in is kept."""
        sent = given.form_submission()
        request = InboundRequest(f"{sent.key}:closed", sent.reply_to, body)
        await self.engine.ack_handler.handle_interaction(request, self.engine.forms.close(sent), _empty(ack))

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def mention(self, ack: AsyncAck, body: dict[str, Any], given: Event) -> BoltResponse | None:
        message = given.incoming(self.installation.team, self.installation.user)
        # A key other than the same message's event, so that each may have something to say.
        request = InboundRequest(f"{message.key}:mention", message.reply_to, body)
        return await self._event(request, self.engine.router.mention(message), ack)

    async def message(self, ack: AsyncAck, body: dict[str, Any], given: Event) -> BoltResponse | None:
        message = given.incoming(self.installation.team, self.installation.user)
        request = InboundRequest(message.key, message.reply_to, body)
        if (gone := given.deleted(self.installation.team)) is not None:
            return await self._event(request, self.engine.router.deleted(gone), ack)
        if (work := await self.engine.router.orphan(message)) is not None:
            return await self._event(request, work, ack, ack_timeout_s=0)
        return await self._event(request, self.engine.router.message(message), ack)

    # ── the app in its workspace ────────────────────────────────────────────────────────────────────────

    async def home_opened(self, ack: AsyncAck, body: dict[str, Any], given: Event) -> BoltResponse | None:
        opened = AppHomeOpened.model_validate(given.event)
        request = InboundRequest(given.key, ReplyTarget(given.team, opened.user), body)
        return await self._event(request, self._open_home(given.team, opened), ack)

    async def _open_home(self, team: str, opened: AppHomeOpened) -> Reply:
        if opened.tab != "home":
            return SILENT
        actor = await self.engine.people.actor(opened.user, team)
        return Reply(then=lambda: self.home.opened(actor))

    async def tokens_revoked(self, ack: AsyncAck, body: dict[str, Any], given: Event) -> BoltResponse | None:
        # Tokens of single people are none of ours.
        ours = bool(TokensRevoked.model_validate(given.event).tokens.bot)
        work = self._pause(given.team, sentences.ACCESS_REVOKED) if ours else _nothing()
        return await self._event(_request_without_person(given, body), work, ack)

    async def app_uninstalled(self, ack: AsyncAck, body: dict[str, Any], given: Event) -> BoltResponse | None:
        return await self._event(
            _request_without_person(given, body), self._pause(given.team, sentences.APP_REMOVED), ack
        )

    async def _pause(self, team: str, reason: str) -> Reply:
        await self.runs.pause_tenant(team, reason)
        log.error("a workspace is paused", team=team, reason=reason)
        return SILENT

    async def user_change(self, ack: AsyncAck, body: dict[str, Any], given: Event) -> BoltResponse | None:
        changed = UserChanged.model_validate(given.event)
        return await self._event(_request_without_person(given, body), self._forget(changed.user.id), ack)

    async def _forget(self, user: str) -> Reply:
        await self.people.changed(user)
        return SILENT

    async def _event(
        self, request: InboundRequest, work: Work, ack: AsyncAck, ack_timeout_s: float = ACK_TIMEOUT_S
    ) -> BoltResponse | None:
        handled = await self.engine.ack_handler.handle_event(request, work, ack, ack_timeout_s)
        return None if handled else BoltResponse(status=SEND_AGAIN, body="")


# ── acknowledgements ────────────────────────────────────────────────────────────────────────────────────


def _with_text(ack: AsyncAck) -> Acknowledge:
    """A command's acknowledgement shows its text to the person."""

    async def acknowledge(reply: Reply) -> Reply:
        if reply.say is None:
            await ack()
        else:
            rendered = render_message(reply.say)
            await ack(text=rendered["text"], blocks=rendered["blocks"] or None, response_type="ephemeral")
        return replace(reply, say=None)

    return acknowledge


def _empty(ack: AsyncAck) -> Acknowledge:
    """A press is acknowledged with nothing."""

    async def acknowledge(reply: Reply) -> Reply:
        await ack()
        return reply

    return acknowledge


def _in_modal(ack: AsyncAck, first_input: str) -> Acknowledge:
    """A modal stays open with what is wrong in it, shows another form, or closes."""

    async def acknowledge(reply: Reply) -> Reply:
        if reply.errors:
            at_fields = {first_input if at == WHOLE_FORM else at: why for at, why in reply.errors.items()}
            await ack(response_action="errors", errors=at_fields)
            return SILENT
        if reply.form is not None:
            await ack(response_action="update", view=render_form(reply.form))
            return replace(reply, form=None, fallback=None)
        await ack()
        return reply

    return acknowledge


async def _ignored(ack: AsyncAck) -> None:
    await ack()


async def _nothing() -> Reply:
    return SILENT


def _request_without_person(event: Event, body: dict[str, Any]) -> InboundRequest:
    return InboundRequest(event.key, ReplyTarget(event.team, ""), body)
