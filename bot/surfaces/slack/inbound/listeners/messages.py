"""Messages, and mentions of the app. In channels a mention arrives as both: exactly one does the work.

| said | who does it |
|---|---|
| to the app alone (a direct message outside of threads) | `message` |
| mention with a command, also a misspelt one | `app_mention`; in direct messages there is none: `message` |
| any other mention in a thread of ours | `message`: it may be an answer |
| by the app itself, with buttons | `message`: it is adopted unless it is recorded |
| any other mention | `app_mention`: help |
| a reply in a thread of ours | `message` |
"""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from bot.surfaces.chat.inbound.commands import CommandContext, CommandHandlers
from bot.surfaces.chat.inbound.orphans import Strays, target_of
from bot.surfaces.chat.inbound.parser import looks_like_command
from bot.surfaces.chat.inbound.pending_requests import Delivery
from bot.surfaces.chat.inbound.replies import Heard, Replies
from bot.surfaces.chat.inbound.reply import SILENT, Reply, ReplyTarget
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.slack.inbound import words
from bot.surfaces.slack.inbound.ack_handler import AckHandler, Work, shaped
from bot.surfaces.slack.inbound.payloads import Event
from bot.surfaces.slack.inbound.people import People
from bot.surfaces.slack.webapi.installed import Installed


class Ears:
    """Tells what is said to the app from what is said to people."""

    def __init__(
        self, installed: Installed, people: People, orders: CommandHandlers, replies: Replies, strays: Strays
    ) -> None:
        self._strays = strays
        self._installed = installed
        self._people = people
        self._orders = orders
        self._replies = replies

    def heard(self, event: Event) -> Heard:
        team = self._installed.team or event.team
        return Heard(team, event.app_user or self._installed.user, event.said, installation=event.team)

    async def overheard(self, heard: Heard) -> Work | None:
        """What to do about a message of ours that has buttons and isn't recorded; None for all others."""
        said = heard.said
        target = target_of(said) if said.user and said.user == heard.app_user else None
        if target is None or not said.channel or not said.ts:
            return None
        posted = Posted(said.channel, said.ts)
        return None if await self._strays.known(target, posted) else self._strays.look_after(target, posted)

    async def message(self, heard: Heard) -> Reply:
        """A `message` event."""
        said = heard.said
        if not said.human or said.user == heard.app_user:
            return SILENT
        direct = said.channel_type == "im"
        spoken = words.addressed(said.text, heard.app_user)
        if direct and not said.is_reply:
            return await self._order(heard, said.text if spoken is None else spoken)
        if not said.is_reply:
            return SILENT
        if spoken is not None and looks_like_command(spoken):
            return await self._order(heard, spoken) if direct else SILENT
        return await self._replies.hear(heard)

    async def mention(self, heard: Heard) -> Reply:
        """An `app_mention` event."""
        if not heard.said.human or heard.said.user == heard.app_user:
            return SILENT
        spoken = words.addressed(heard.said.text, heard.app_user)
        if spoken is not None and looks_like_command(spoken):
            return await self._order(heard, spoken)
        if heard.said.is_reply and await self._replies.runs_here(heard):
            return SILENT
        return await self._order(heard, spoken or "help")

    async def _order(self, heard: Heard, spoken: str) -> Reply:
        actor = await self._people.actor(heard.said.user, heard.installation)
        line = line_to(heard)
        names = await self._people.names(words.mentions(spoken))
        order = CommandContext(words.plain(spoken, names), actor, heard.key, line, says_started=False)
        return await self._orders.carry_out(order)


def line_to(heard: Heard) -> ReplyTarget:
    """The private line to who said it, in the thread they said it in."""
    said = heard.said
    return ReplyTarget(
        heard.team, said.user, said.channel, said.thread_ts if said.is_reply and said.thread_ts else ""
    )


def listen(app: AsyncApp, desk: AckHandler, ears: Ears) -> None:
    """Take messages and mentions."""

    @app.event("app_mention")
    @shaped
    async def app_mention(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        heard = ears.heard(Event.model_validate(body))
        # Told apart from its twin, so that each may have something to say.
        delivery = Delivery(f"{heard.key}:mention", line_to(heard), body)
        return await desk.hear(delivery, ears.mention(heard), ack)

    @app.event("message")
    @shaped
    async def message(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        heard = ears.heard(Event.model_validate(body))
        delivery = Delivery(heard.key, line_to(heard), body)
        if (work := await ears.overheard(heard)) is not None:
            return await desk.hear(delivery, work, ack, within=0)
        return await desk.hear(delivery, ears.message(heard), ack)
