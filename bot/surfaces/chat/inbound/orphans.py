"""Our own messages, as Slack tells us of them: whether each one with buttons is recorded by now.

Whoever posts a message records it at once. A message that is not recorded a moment later has lost who posted
it: it is adopted. Slack tells of it no second time, so that is done even if this process dies meanwhile: what
takes long is kept (`unfinished.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from bot.core.errors import StoreUnavailable
from bot.surfaces.chat.inbound import actions
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.chat.inbound.copies import Copies
from bot.surfaces.chat.inbound.reply import SILENT, Reply
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.slack.inbound.payloads import Said
from bot.surfaces.slack.webapi.api import SlackApi

log = structlog.get_logger(__name__)

MOMENT = 0.5
"""Seconds in which whoever posted a message has recorded it; less than before a post is tried again."""


class Strays:
    """Finds what of ours nobody recorded."""

    def __init__(self, copies: Copies, api: SlackApi) -> None:
        self._copies = copies
        self._api = api

    async def known(self, target: Target, posted: Posted) -> bool:
        """Whether this message is recorded by now, as it mostly is when Slack tells of it."""
        try:
            return await self._copies.recorded(target, posted)
        except StoreUnavailable:
            return False

    async def look_after(self, target: Target, posted: Posted) -> Reply:
        """Adopt this message unless it is recorded in a moment; where the store is away, once it is back."""
        while True:
            await asyncio.sleep(MOMENT)
            await self._api.yield_to_acks()
            try:
                await self._copies.adopt(target, posted)
            except StoreUnavailable:
                log.debug("the store is away: a message of ours is looked at later")
            else:
                return SILENT


def target_of(said: Said) -> Target | None:
    """What the buttons of a message are about: a question, or a run; None: neither.

    Every open question can be answered in words, and every live run cancelled.
    """
    for element in _elements(said.blocks or ()):
        action_id, value = str(element.get("action_id", "")), str(element.get("value", ""))
        try:
            if action_id in {actions.RUN_CANCEL, actions.OPEN_REPLY}:
                return Target.decode(value)
        except ValueError:
            log.info("a button of ours holds something else", action_id=action_id)
    return None


def _elements(blocks: tuple[Mapping[str, Any], ...]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        if block.get("type") == "actions":
            yield from block.get("elements") or ()
