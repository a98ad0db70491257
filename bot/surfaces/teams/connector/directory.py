"""Who is in a conversation, asked of the Bot Connector and remembered for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping

from bot.core.ports import Memory
from bot.surfaces.chat.failures import Rejected, ShutOut
from bot.surfaces.teams.connector.client import ConnectorClient, Json, address
from bot.surfaces.teams.conversations import ServiceUrls
from bot.surfaces.teams.renderer import Member

TTL_S = 24 * 3600.0
ABSENT_TTL_S = 600.0
"""How long it is remembered that somebody is not in a conversation: they may be added."""
MAX_LOOKUPS = 10
"""Lookups of one message at a time."""
NOBODY = "-"


class Directory:
    """Members of conversations by principal."""

    def __init__(
        self, client: ConnectorClient, memory: Memory, service_urls: ServiceUrls, surface: str, tenant_id: str
    ) -> None:
        self._client = client
        self._memory = memory
        self._service_urls = service_urls
        self._prefix = f"{surface}:{tenant_id}:"
        self._lookups = asyncio.Semaphore(MAX_LOOKUPS)

    async def members(self, channel: str, principals: Iterable[str]) -> Mapping[str, Member]:
        """Those of these people who are in the conversation. Raises Later, ShutOut, StoreUnavailable."""
        ours = [each for each in dict.fromkeys(principals) if each.startswith(self._prefix)]
        found = await asyncio.gather(*(self._member(channel, self.object_id(each)) for each in ours))
        return {who: member for who, member in zip(ours, found, strict=True) if member is not None}

    def object_id(self, principal: str) -> str:
        return principal.removeprefix(self._prefix)

    async def profile(self, channel: str, object_id: str) -> Json | None:
        """What the Bot Connector says of a member, asked anew; None: there is no such member.

        Raises Later, Rejected, ShutOut, StoreUnavailable.
        """
        service_url = await self._service_urls.of(channel)
        if service_url is None:
            return None
        try:
            return await self._client.call(
                "member", "GET", address(service_url, "conversations", channel, "members", object_id)
            )
        except ShutOut:
            raise
        except Rejected:
            return None

    async def _member(self, channel: str, object_id: str) -> Member | None:
        key = f"{self._prefix}member:{channel}:{object_id}"
        known = await self._memory.recall(key)
        if known is None:
            async with self._lookups:
                known = await self._look_up(channel, object_id)
            await self._memory.remember(key, known, ABSENT_TTL_S if known == NOBODY else TTL_S)
        return None if known == NOBODY else Member(*json.loads(known))

    async def _look_up(self, channel: str, object_id: str) -> str:
        profile = await self.profile(channel, object_id)
        if not profile or not profile.get("id"):
            return NOBODY
        return json.dumps([str(profile["id"]), str(profile.get("name") or "")])
