"""The members of a conversation, read from the Bot Connector and cached."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping

from bot.core.ports.store import KeyValueStore
from bot.surfaces.chat.failures import CredentialsRefused, PlatformFailure, Rejected
from bot.surfaces.chat.shortening import short
from bot.surfaces.teams.connector.client import ConnectorClient, Json, address
from bot.surfaces.teams.conversations import ServiceUrls, is_channel
from bot.surfaces.teams.renderer import Member

TTL_S = 24 * 3600.0
ABSENT_TTL_S = 600.0
"""How long it is remembered that somebody is not in a conversation: they may be added."""
MAX_LOOKUPS = 10
"""Lookups of one message at a time."""
ABSENT = "-"
NAME_UNITS = 100
FIRST_CHANNEL = "General"
"""What Teams calls a team's first channel, of which the Bot Connector lists no name."""
NAME_TTL_S = 400 * 24 * 3600.0
"""How long somebody's name is known in conversations that they are not in, or have left."""


class Directory:
    """Who people are in conversations, by principal."""

    def __init__(
        self,
        client: ConnectorClient,
        key_values: KeyValueStore,
        service_urls: ServiceUrls,
        surface: str,
        tenant_id: str,
    ) -> None:
        self._client = client
        self._key_values = key_values
        self._service_urls = service_urls
        self._prefix = f"{surface}:{tenant_id}:"
        #: Of principals as policies name them: without a tenant, hence of our own.
        self._of_our_own = f"{surface}::"
        self._lookups = asyncio.Semaphore(MAX_LOOKUPS)

    async def members(self, channel: str, principals: Iterable[str]) -> Mapping[str, Member]:
        """These people, as far as they are known; whoever is not in the conversation has no id there.

        Raises RetryLater, CredentialsRefused, StoreUnavailable.
        """
        prefixes = (self._prefix, self._of_our_own)
        ours = [each for each in dict.fromkeys(principals) if each.startswith(prefixes)]
        found = await asyncio.gather(*(self._member(channel, self.object_id(each)) for each in ours))
        return {who: member for who, member in zip(ours, found, strict=True) if member.name}

    async def channels(self, channels: Iterable[str]) -> Mapping[str, Member]:
        """What these channels are called, as `Member`s without an id; those without a name are left out.

        Raises StoreUnavailable.
        """
        ours = [each for each in dict.fromkeys(channels) if is_channel(each)]
        found = await asyncio.gather(*map(self._channel, ours))
        return {channel: Member("", name) for channel, name in zip(ours, found, strict=True) if name}

    def object_id(self, principal: str) -> str:
        return principal.removeprefix(self._prefix).removeprefix(self._of_our_own)

    async def profile(self, channel: str, object_id: str) -> Json | None:
        """What the Bot Connector says of a member, asked anew; None: there is no such member.

        Raises RetryLater, Rejected, CredentialsRefused, StoreUnavailable.
        """
        service_url = await self._service_urls.of(channel)
        if service_url is None:
            return None
        try:
            found = await self._client.call(
                "member", "GET", address(service_url, "conversations", channel, "members", object_id)
            )
        except CredentialsRefused:
            raise
        except Rejected:
            return None
        if name := _name(found):
            await self._key_values.set(self._name_key(object_id), name, NAME_TTL_S)
        return found

    async def _member(self, channel: str, object_id: str) -> Member:
        key = f"{self._prefix}member:{channel}:{object_id}"
        known = await self._key_values.get(key)
        if known is None:
            async with self._lookups:
                known = await self._look_up(channel, object_id)
            await self._key_values.set(key, known, TTL_S if known != ABSENT else ABSENT_TTL_S)
        if known != ABSENT:
            return Member(*json.loads(known))
        return Member("", await self._key_values.get(self._name_key(object_id)) or "")

    async def _channel(self, channel: str) -> str:
        known = await self._key_values.get(self._channel_key(channel))
        if known is None:
            team = await self._service_urls.team(channel)
            names = await self._team(channel, team)
            for each, name in names.items():
                await self._key_values.set(self._channel_key(each), name, TTL_S)
            known = names.get(channel, "")
            if not known:
                await self._key_values.set(self._channel_key(channel), known, ABSENT_TTL_S)
        return known

    async def _team(self, channel: str, team: str) -> Mapping[str, str]:
        """The names of a team's channels. A name is no reason to wait: what can't be read is left out."""
        service_url = await self._service_urls.of(channel)
        if service_url is None:
            return {}
        try:
            async with self._lookups:
                url = address(service_url, "teams", team, "conversations")
                listed = (await self._client.call("channels", "GET", url)).get("conversations")
        except PlatformFailure:
            return {}
        found = [each for each in listed or () if isinstance(each, dict) and each.get("id")]
        return {str(each["id"]): _name(each) or FIRST_CHANNEL for each in found}

    async def _look_up(self, channel: str, object_id: str) -> str:
        profile = await self.profile(channel, object_id)
        if not profile or not profile.get("id"):
            return ABSENT
        return json.dumps([str(profile["id"]), _name(profile)])

    def _channel_key(self, channel: str) -> str:
        return f"{self._prefix}channel:{channel}"

    def _name_key(self, object_id: str) -> str:
        return f"{self._prefix}name:{object_id}"


def _name(profile: Json) -> str:
    """In one line, with everything in it visible."""
    name = str(profile.get("name") or profile.get("givenName") or "")
    return short(name, NAME_UNITS) if name.strip() else ""
