"""Addresses of our messages, asked of the platform once each."""

from __future__ import annotations

from bot.core.ports import KeyValueStore
from bot.surfaces.chat.failures import Rejected
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.chat.platform import ChatPlatform

TTL_S = 30 * 24 * 3600.0


class Links:
    """Addresses of messages, remembered in the store."""

    def __init__(self, key_values: KeyValueStore, platform: ChatPlatform) -> None:
        self._key_values = key_values
        self._platform = platform

    async def to(self, posted: Posted) -> str | None:
        """The message's address; None if it is no longer there. Raises Later, StoreUnavailable."""
        key = f"{self._platform.capabilities.surface}:link:{posted.encode()}"
        if known := await self._key_values.get(key):
            return known
        try:
            link = await self._platform.link_to(posted)
        except Rejected:
            return None
        await self._key_values.set(key, link, TTL_S)
        return link
