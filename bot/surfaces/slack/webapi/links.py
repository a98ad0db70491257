"""Addresses of our messages, asked of Slack once each."""

from __future__ import annotations

from bot.core.ports import Memory
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.slack.webapi.api import SlackApi
from bot.surfaces.slack.webapi.failures import Rejected

KEPT = 30 * 24 * 3600.0


class Links:
    """Permalinks, remembered in the store."""

    def __init__(self, memory: Memory, api: SlackApi) -> None:
        self._memory = memory
        self._api = api

    async def to(self, posted: Posted) -> str | None:
        """The message's address; None if it is no longer there. Raises Later, StoreUnavailable."""
        name = f"slack:link:{posted.encode()}"
        if known := await self._memory.recall(name):
            return known
        try:
            link = await self._api.permalink(posted)
        except Rejected:
            return None
        await self._memory.remember(name, link, KEPT)
        return link
