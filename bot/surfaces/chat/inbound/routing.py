"""Tells what is said to the app from what is said to people.

A platform may deliver a mention of the app in a channel twice, as a message and as a mention: exactly one of
them is handled.

| said | handled as |
|---|---|
| to the app alone (a direct message outside of threads) | `message` |
| mention with a command, also a misspelt one | `mention`; in direct messages there is none: `message` |
| any other mention in a thread of ours | `message`: it may be an answer |
| any other mention | `mention`: help |
| a reply in a thread of ours | `message` |
| on a platform that delivers each message once | `message_or_mention`, by the same rules |
| a message is deleted | `deleted`: if it shows an open question, that is shown anew |
| by the app itself, with buttons | `orphan`: it is adopted unless it is recorded |
"""

from __future__ import annotations

from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.ack_handler import Work
from bot.surfaces.chat.inbound.commands import CommandContext, CommandHandlers
from bot.surfaces.chat.inbound.parser import is_command, looks_like_command
from bot.surfaces.chat.inbound.ports import (
    SILENT,
    ActorResolver,
    DeletedMessage,
    IncomingMessage,
    Orphans,
    Reply,
    ReplyTarget,
)
from bot.surfaces.chat.inbound.replies import Replies
from bot.surfaces.chat.places import MessageRef

HELP = "help"


class MessageRouter:
    """Hands messages to commands, replies, and who reconciles orphaned messages."""

    def __init__(
        self, people: ActorResolver, commands: CommandHandlers, replies: Replies, orphans: Orphans
    ) -> None:
        self._people = people
        self._orphans = orphans
        self._commands = commands
        self._replies = replies

    async def message(self, message: IncomingMessage) -> Reply:
        """A message, whether or not it mentions the app."""
        if not message.from_person:
            return SILENT
        if message.direct and not message.is_reply:
            return await self._command(message)
        if not message.is_reply:
            return SILENT
        if message.addressed is not None and looks_like_command(message.addressed):
            return await self._command(message) if message.direct else SILENT
        if message.direct:
            await self._replies.wait_until_known(message)
        return await self._replies.handle(message)

    async def mention(self, message: IncomingMessage) -> Reply:
        """The same message, delivered because it mentions the app."""
        if not message.from_person:
            return SILENT
        if message.addressed is not None and looks_like_command(message.addressed):
            return await self._command(message)
        if message.is_reply and await self._replies.runs_here(message):
            return SILENT
        return await self._command(message, None if message.addressed else HELP)

    async def message_or_mention(self, message: IncomingMessage) -> Reply:
        """A message of a platform that delivers each one once, whether or not it mentions the app.

        Where everything is said to the app (`direct`), a misspelt command may as well be an answer.
        """
        if not message.from_person:
            return SILENT
        is_meant = is_command if message.direct else looks_like_command
        if message.addressed is not None and is_meant(message.addressed):
            return await self._command(message)
        runs = await self._replies.runs_here(message)
        reply = await self._replies.handle(message)
        if reply != SILENT or message.addressed is None or any(not run.status.over for run in runs):
            return reply
        return await self._command(message, None if message.addressed else HELP)

    async def orphan(self, message: IncomingMessage) -> Work | None:
        """What to do about a message of ours that has buttons and isn't recorded; None for all others."""
        target = message.own_target
        if target is None:
            return None
        posted = MessageRef(message.reply_to.channel, message.id)
        if await self._orphans.is_recorded(target.run_id, posted):
            return None
        return self._adopt(target, posted, message.reply_to)

    async def deleted(self, gone: DeletedMessage) -> Reply:
        """A message that somebody deleted: what it asked is shown anew."""
        await self._orphans.show_anew(gone.tenant, MessageRef(gone.channel, gone.id), gone.thread)
        return SILENT

    async def missed(self, message: IncomingMessage) -> Reply:
        """A message that was read in its thread's history."""
        return await (await self.orphan(message) or self.message(message))

    async def _adopt(self, target: Target, posted: MessageRef, to: ReplyTarget) -> Reply:
        await self._orphans.adopt_unless_recorded_soon(
            target.run_id, target.question_id, posted, tenant=to.tenant, thread=to.thread
        )
        return SILENT

    async def _command(self, message: IncomingMessage, words: str | None = None) -> Reply:
        actor = await self._people.actor(message.reply_to.user, message.installation)
        if words is None:
            words = message.command_text(await self._people.names(message.mentioned))
        context = CommandContext(words, actor, message.key, message.reply_to, says_started=False)
        return await self._commands.execute(context)
