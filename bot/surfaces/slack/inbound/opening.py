"""Opening modals: Slack gives three seconds after a press, and a person who was too late is told so."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog

from bot.surfaces.chat.inbound.reply import ReplyTarget
from bot.surfaces.slack.cards import private
from bot.surfaces.slack.inbound.notices import Notices
from bot.surfaces.slack.webapi.api import Later, Rejected, SlackApi

log = structlog.get_logger(__name__)

TRIGGER = 3.0
"""Seconds that a trigger_id lives."""
TOO_LATE = "Slack was too slow to open that window. Please press again."


class Opening:
    """Opens modals for people who just acted."""

    def __init__(self, api: SlackApi, notices: Notices) -> None:
        self._api = api
        self._notices = notices

    async def open(self, trigger_id: str, view: dict[str, Any], line: ReplyTarget) -> None:
        """Open it; where Slack doesn't, say privately to press again."""
        deadline = time.monotonic() + TRIGGER
        try:
            await self._try(trigger_id, view, deadline)
        except (Later, Rejected) as error:
            log.info("a modal could not be opened", why=str(error), user=line.user)
            await self._notices.tell(line, private.words(TOO_LATE))

    async def replace(self, view_id: str, view: dict[str, Any]) -> None:
        """Show another view in an open modal; it may have been closed by now."""
        try:
            await self._api.update_view(view_id, view)
        except (Later, Rejected) as error:
            log.info("a modal could not be updated", why=str(error))

    async def _try(self, trigger_id: str, view: dict[str, Any], deadline: float) -> None:
        while True:
            try:
                await self._api.open_view(trigger_id, view)
            except Later as later:
                if time.monotonic() + later.seconds >= deadline:
                    raise
                await asyncio.sleep(later.seconds)
            else:
                return
