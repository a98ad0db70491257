"""Slash commands."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from bot.surfaces.chat.inbound.commands import CommandContext, CommandHandlers
from bot.surfaces.chat.inbound.pending_requests import Delivery
from bot.surfaces.chat.inbound.reply import Reply, ReplyTarget
from bot.surfaces.slack.inbound import words
from bot.surfaces.slack.inbound.ack_handler import AckHandler, in_the_answer, shaped
from bot.surfaces.slack.inbound.payloads import Command
from bot.surfaces.slack.inbound.people import People


def listen(app: AsyncApp, desk: AckHandler, people: People, orders: CommandHandlers) -> None:
    """Take commands; whatever an administrator called ours, there is one."""

    @app.command(re.compile(r".+"))
    @shaped
    async def command(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        given = Command.model_validate(body)
        line = ReplyTarget(given.team_id, given.user_id, given.channel_id, response_url=given.response_url)
        await desk.take(Delivery(given.key, line, body), carry_out(given, line), ack, in_the_answer)
        return None

    async def carry_out(given: Command, line: ReplyTarget) -> Reply:
        actor = await people.actor(given.user_id)
        order = CommandContext(words.plain(given.text), actor, given.key, line, trigger_id=given.trigger_id)
        return await orders.carry_out(order)
