"""What the person who acted gets to see alone: private messages, and modals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import structlog
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.surfaces.chat.failures import Later, Rejected
from bot.surfaces.chat.inbound.interactions import ReplyTarget
from bot.surfaces.chat.messages import Form, Message
from bot.surfaces.chat.retries import with_retries
from bot.surfaces.chat.wording import private_messages, sentences
from bot.surfaces.slack.renderer import render_message
from bot.surfaces.slack.webapi.api import SlackApi
from bot.surfaces.slack.webapi.failures import retry_after

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 4
"""Attempts at one way while Slack is slow or limits us, before the next way is tried."""
MAX_RETRY_DELAY_S = 30.0
RESPONSE_URL_TIMEOUT_S = 10
TRIGGER_TTL_S = 3.0
"""How long a trigger_id lives."""

Way = Callable[[ReplyTarget, Message], Awaitable[None]]


class SlackMessenger:
    """Tells one person something: by the response_url, else by an ephemeral message, else by a direct one."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def tell(self, to: ReplyTarget, message: Message) -> bool:
        """Tell it, in the best way that works; False if none does."""
        for way in self._ways(to):
            if await _deliver(way, to, message):
                return True
        log.warning("a private message could not be delivered", user=to.user, channel=to.channel)
        return False

    def _ways(self, to: ReplyTarget) -> list[Way]:
        """A response_url shows its message outside of the thread, and works where the app is no member."""
        ways: list[Way] = []
        if to.channel and to.thread and not to.replaces:
            ways.append(self._ephemeral)
        if to.reply_url:
            ways.append(self._respond)
        if to.channel and self._ephemeral not in ways:
            ways.append(self._ephemeral)
        return [*ways, self._direct]

    async def _respond(self, to: ReplyTarget, message: Message) -> None:
        webhook = AsyncWebhookClient(to.reply_url, timeout=RESPONSE_URL_TIMEOUT_S, proxy=self._api.proxy)
        extra = {"thread_ts": to.thread} if to.thread and not to.replaces else {}
        rendered = render_message(message)
        body = {
            "text": rendered["text"],
            "response_type": "ephemeral",
            "replace_original": to.replaces,
            **({"blocks": rendered["blocks"]} if rendered["blocks"] else {}),
            **extra,
        }
        try:
            response = await webhook.send_dict(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Later(1.0) from error
        if response.status_code == 429 or response.status_code >= 500:  # noqa: PLR2004 - HTTP's own numbers
            raise Later(retry_after(response.headers))
        if response.status_code != 200:  # noqa: PLR2004
            raise Rejected(response.body or "no_response_url")

    async def _ephemeral(self, to: ReplyTarget, message: Message) -> None:
        await self._api.ephemeral(to.channel, to.user, message, thread_ts=to.thread or None)

    async def _direct(self, to: ReplyTarget, message: Message) -> None:
        await self._api.post(await self._api.open_direct(to.user), message)


async def _deliver(way: Way, to: ReplyTarget, message: Message) -> bool:
    try:
        await with_retries(lambda: way(to, message), MAX_ATTEMPTS, MAX_RETRY_DELAY_S)
    except (Later, Rejected) as failure:
        log.info(
            "a private message could not be sent in this way",
            way=way.__name__,
            why=str(failure),
            user=to.user,
        )
        return False
    return True


class ModalOpener:
    """Opens modals. Slack gives three seconds after a press; who was too late is told so."""

    def __init__(self, api: SlackApi, messenger: SlackMessenger) -> None:
        self._api = api
        self._messenger = messenger

    async def open(self, handle: str, form: Form, to: ReplyTarget) -> None:
        """Open a modal; if that fails, tell the person to press again."""
        deadline = time.monotonic() + TRIGGER_TTL_S
        try:
            await self._open(handle, form, deadline)
        except (Later, Rejected) as error:
            log.info("a modal could not be opened", why=str(error), user=to.user)
            too_late = sentences.form_too_late(self._api.capabilities.title)
            await self._messenger.tell(to, private_messages.words(too_late))

    async def replace(self, form_id: str, form: Form, to: ReplyTarget) -> None:
        """Show another form in an open modal, unless it was closed meanwhile."""
        try:
            await self._api.update_view(form_id, form)
        except (Later, Rejected) as error:
            log.info("a modal could not be updated", why=str(error), user=to.user)

    async def _open(self, trigger_id: str, form: Form, deadline: float) -> None:
        while True:
            try:
                await self._api.open_view(trigger_id, form)
            except Later as later:
                if time.monotonic() + later.seconds >= deadline:
                    raise
                await asyncio.sleep(later.seconds)
            else:
                return
