"""Replies that only the acting person sees: messages in their chat with the app, and dialogs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from bot.surfaces.chat.failures import Rejected, RetryLater
from bot.surfaces.chat.flow_control import with_retries
from bot.surfaces.chat.formatted_text import Mention
from bot.surfaces.chat.inbound.ports import ReplyTarget
from bot.surfaces.chat.messages import Form, Input, Message, text_message
from bot.surfaces.chat.places import Conversation
from bot.surfaces.chat.platform import ChatPlatform, Priority
from bot.surfaces.chat.wording import sentences
from bot.surfaces.teams import SURFACE, TITLE
from bot.surfaces.teams.conversations import is_personal

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 4
MAX_RETRY_DELAY_S = 30.0


class TeamsMessenger:
    """Tells one person something in their own chat with the app.

    Where that can't be written to, they are told in the conversation that it can't, and nothing else:
    everybody reads there.
    """

    def __init__(self, platform: ChatPlatform) -> None:
        self._platform = platform

    async def tell(self, to: ReplyTarget, message: Message) -> bool:
        """Tell it; False if the person could not be told."""
        if await self._try(lambda: self._privately(to, message), to):
            return True
        log.warning("a private message could not be delivered", user=to.user, channel=to.channel)
        if to.channel and not is_personal(to.channel):
            who = Mention(f"{SURFACE}:{to.tenant}:{to.user}")
            await self._try(lambda: self._here(to, text_message(who, f" {sentences.NO_PRIVATE_CHAT}")), to)
        return False

    async def _privately(self, to: ReplyTarget, message: Message) -> None:
        if to.channel and is_personal(to.channel):
            await self._here(to, message)
        else:
            chat = await self._platform.open_direct(to.user)
            await self._platform.post(chat, message, priority=Priority.DECISION)

    async def _here(self, to: ReplyTarget, message: Message) -> None:
        where = Conversation(to.channel, to.thread or None)
        await self._platform.post(where, message, priority=Priority.DECISION)

    async def _try(self, way: Callable[[], Awaitable[None]], to: ReplyTarget) -> bool:
        try:
            await with_retries(way, MAX_ATTEMPTS, MAX_RETRY_DELAY_S)
        except (RetryLater, Rejected) as failure:
            log.info("a private message could not be sent in this way", why=str(failure), user=to.user)
            return False
        return True


class LateFormOpener:
    """Sends forms that were ready too late: a dialog opens only in the answer to a press."""

    def __init__(self, messenger: TeamsMessenger) -> None:
        self._messenger = messenger

    async def open(self, handle: str, form: Form, to: ReplyTarget) -> bool:
        """Ask the person to press again."""
        del handle
        log.info("a dialog could not be opened in time", form=form.title, user=to.user)
        await self._messenger.tell(to, text_message(sentences.form_too_late(TITLE)))
        return False

    async def replace(self, form_id: str, form: Form, to: ReplyTarget) -> bool:
        """Tell what the dialog would have said."""
        del form_id
        told = Message((form.title,), tuple(each for each in form.blocks if not isinstance(each, Input)))
        return await self._messenger.tell(to, told)
