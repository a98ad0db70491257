"""Replies that only the acting person sees: private messages, and modals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import structlog
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.surfaces.chat.failures import PlatformFailure, Rejected, RetryLater, Unrenderable, retry_after
from bot.surfaces.chat.flow_control import with_retries
from bot.surfaces.chat.formatted_text import Command
from bot.surfaces.chat.inbound.ports import ReplyTarget
from bot.surfaces.chat.messages import Form, Message, text_message
from bot.surfaces.chat.wording import sentences
from bot.surfaces.slack.renderer import render_message
from bot.surfaces.slack.webapi.api import SlackApi

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 4
"""Attempts with one method while Slack is slow or limits us, before the next one is tried."""
MAX_RETRY_DELAY_S = 30.0
RESPONSE_URL_TIMEOUT_S = 10
TRIGGER_TTL_S = 3.0
"""How long a trigger_id lives."""

SendMethod = Callable[[ReplyTarget, Message], Awaitable[None]]


class SlackMessenger:
    """Tells one person something: by the response_url, else by an ephemeral message, else by a direct one."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def tell(self, to: ReplyTarget, message: Message) -> bool:
        """Tell it, in the best way that works; False if none does."""
        for method in self._methods(to):
            if await _deliver(method, to, message):
                return True
        log.warning("a private message could not be delivered", user=to.user, channel=to.channel)
        return False

    def _methods(self, to: ReplyTarget) -> list[SendMethod]:
        """A response_url shows its message outside of the thread, and works where the app is no member."""
        methods: list[SendMethod] = []
        if to.channel and to.thread and not to.replaces:
            methods.append(self._ephemeral)
        if to.reply_url:
            methods.append(self._respond)
        if to.channel and self._ephemeral not in methods:
            methods.append(self._ephemeral)
        return [*methods, self._direct]

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
            raise RetryLater(1.0) from error
        if response.status_code == 429 or response.status_code >= 500:  # noqa: PLR2004 - HTTP's own numbers
            raise RetryLater(retry_after(response.headers))
        if response.status_code != 200:  # noqa: PLR2004
            raise Rejected(response.body or "no_response_url")

    async def _ephemeral(self, to: ReplyTarget, message: Message) -> None:
        await self._api.ephemeral(to.channel, to.user, message, thread_ts=to.thread or None)

    async def _direct(self, to: ReplyTarget, message: Message) -> None:
        await self._api.post(await self._api.open_direct(to.user), message)


async def _deliver(method: SendMethod, to: ReplyTarget, message: Message) -> bool:
    try:
        await with_retries(lambda: method(to, message), MAX_ATTEMPTS, MAX_RETRY_DELAY_S)
    except (RetryLater, Rejected) as failure:
        log.info(
            "a private message could not be sent in this way",
            method=method.__name__,
            why=str(failure),
            user=to.user,
        )
        return False
    return True


class ModalOpener:
    """Opens modals within the three seconds that Slack gives after a press; says so if it is too late."""

    def __init__(self, api: SlackApi, messenger: SlackMessenger) -> None:
        self._api = api
        self._messenger = messenger

    async def open(self, handle: str, form: Form, to: ReplyTarget) -> bool:
        """Open a modal; if that fails, tell the person to press again, or where else they can do it."""
        deadline = time.monotonic() + TRIGGER_TTL_S
        try:
            await self._open(handle, form, deadline)
        except (RetryLater, Rejected) as error:
            log.info("a modal could not be opened", why=str(error), user=to.user)
            await self._messenger.tell(to, _not_opened(error, self._api.capabilities.title))
            return False
        return True

    async def replace(self, form_id: str, form: Form, to: ReplyTarget) -> bool:
        """Show another form in an open modal; False if it was closed meanwhile."""
        try:
            await self._api.update_view(form_id, form)
        except (RetryLater, Rejected) as error:
            log.info("a modal could not be updated", why=str(error), user=to.user)
            return False
        return True

    async def _open(self, trigger_id: str, form: Form, deadline: float) -> None:
        while True:
            try:
                await self._api.open_view(trigger_id, form)
            except RetryLater as later:
                if time.monotonic() + later.seconds >= deadline:
                    raise
                await asyncio.sleep(later.seconds)
            else:
                return


def _not_opened(why: PlatformFailure, platform: str) -> Message:
    """What to do instead: a form that Slack refuses would be refused again."""
    if isinstance(why, Unrenderable):
        return text_message(sentences.form_refused(platform), " ", Command("console"), ".")
    return text_message(sentences.form_too_late(platform))
