"""Private messages to who acted: by Slack's own way back, else ephemerally, else by direct message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import structlog
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.surfaces.chat.inbound.reply import ReplyTarget
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.webapi.api import Later, Rejected, SlackApi
from bot.surfaces.slack.webapi.failures import retry_after

log = structlog.get_logger(__name__)

ATTEMPTS = 4
"""How often one way is tried while Slack is slow or limits us, before the next one is."""
LONGEST_WAIT = 30.0
TIMEOUT = 10

Way = Callable[[ReplyTarget, Message], Awaitable[None]]


class Notices:
    """Tells people things that nobody else shall see."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def tell(self, line: ReplyTarget, message: Message) -> bool:
        """Tell it, in the best way that works; False if none does."""
        for way in self._ways(line):
            if await _patiently(way, line, message):
                return True
        log.warning("a private message could not be delivered", user=line.user, channel=line.channel)
        return False

    def _ways(self, line: ReplyTarget) -> list[Way]:
        """A response_url shows its message outside of the thread, and works where the app is no member."""
        ways: list[Way] = []
        if line.channel and line.thread and not line.replaces:
            ways.append(self._ephemeral)
        if line.response_url:
            ways.append(self._respond)
        if line.channel and self._ephemeral not in ways:
            ways.append(self._ephemeral)
        return [*ways, self._direct]

    async def _respond(self, line: ReplyTarget, message: Message) -> None:
        webhook = AsyncWebhookClient(line.response_url, timeout=TIMEOUT, proxy=self._api.proxy)
        extra = {"thread_ts": line.thread} if line.thread and not line.replaces else {}
        body = {
            "text": message.text,
            "response_type": "ephemeral",
            "replace_original": line.replaces,
            **({"blocks": message.blocks} if message.blocks else {}),
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

    async def _ephemeral(self, line: ReplyTarget, message: Message) -> None:
        await self._api.ephemeral(line.channel, line.user, message, thread_ts=line.thread or None)

    async def _direct(self, line: ReplyTarget, message: Message) -> None:
        await self._api.dm(line.user, message)


async def _patiently(way: Way, line: ReplyTarget, message: Message) -> bool:
    for _ in range(ATTEMPTS):
        try:
            await way(line, message)
        except Later as later:
            await asyncio.sleep(min(later.seconds, LONGEST_WAIT))
        except Rejected as rejected:
            log.info("a way to a person is closed", way=way.__name__, code=rejected.code, user=line.user)
            return False
        else:
            return True
    return False
