"""Conversations of Teams: channels with reply chains, chats, which have none, and where they are served."""

from __future__ import annotations

from bot.core.ports.store import KeyValueStore
from bot.surfaces.chat.places import Conversation

CHAT = "chat"
"""The thread of everything in a chat (personal or group): Teams has reply chains in channels only."""
_CHAIN = ";messageid="
_CHANNELS = ("@thread.tacv2", "@thread.skype")
_THREAD, _GROUP = "19:", "@thread.v2"
SERVICE_URL_TTL_S = 400 * 24 * 3600.0


def is_channel(channel: str) -> bool:
    """Whether this is a channel of a team, in which messages begin reply chains."""
    return channel.endswith(_CHANNELS)


def is_personal(channel: str) -> bool:
    """Whether this is the chat of one person with the app.

    Chats of people are threads of Teams, whose ids begin alike: groups, meetings, and two people's own chat.
    """
    return not channel.startswith(_THREAD) and not channel.endswith((*_CHANNELS, _GROUP))


def parse(conversation_id: str) -> Conversation:
    """Teams' id of a conversation: the channel and the first message of the reply chain, or the chat."""
    channel, _, first_message = conversation_id.partition(_CHAIN)
    return Conversation(channel, (first_message or None) if is_channel(channel) else CHAT)


def full_id(where: Conversation) -> str:
    """Teams' id, to post to. A message to a channel without a thread begins a reply chain of its own."""
    if where.thread and is_channel(where.channel):
        return f"{where.channel}{_CHAIN}{where.thread}"
    return where.channel


class ServiceUrls:
    """Where the Bot Connector serves each conversation: it says so with every activity of it."""

    def __init__(self, key_values: KeyValueStore) -> None:
        self._key_values = key_values
        #: What this process has recorded, so that only changes are written.
        self._recorded: dict[str, str] = {}

    async def record(self, channel: str, service_url: str, team: str = "") -> None:
        """An activity of this conversation came with this URL, and names its team.

        Raises StoreUnavailable.
        """
        await self._record(self._key(channel), service_url)
        await self._record(self._key(""), service_url)
        if team and is_channel(channel):
            await self._record(self._team_key(channel), team)

    async def _record(self, key: str, value: str) -> None:
        if self._recorded.get(key) != value:
            await self._key_values.set(key, value, SERVICE_URL_TTL_S)
            self._recorded[key] = value

    async def of(self, channel: str) -> str | None:
        """The URL of this conversation; of one that is new, the tenant's latest. Raises StoreUnavailable."""
        return await self._key_values.get(self._key(channel)) or await self._key_values.get(self._key(""))

    async def team(self, channel: str) -> str:
        """The team of a channel; that of a team's first channel has its id. Raises StoreUnavailable."""
        return await self._key_values.get(self._team_key(channel)) or channel

    def _team_key(self, channel: str) -> str:
        return f"teams:team:{channel}"

    def _key(self, channel: str) -> str:
        return f"teams:service_url:{channel}"
