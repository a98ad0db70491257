"""Messages of conversations, which Microsoft Graph lists where the app has resource-specific consent.

They tell whether a message of ours arrived of which the Bot Connector's answer was lost (it is found by an id
in its card), and what people wrote while no process received it.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bot.surfaces.chat.lost_answers import look_for
from bot.surfaces.chat.places import Conversation
from bot.surfaces.teams.connector.client import ConnectorClient, address
from bot.surfaces.teams.conversations import ServiceUrls, is_channel, is_personal
from bot.surfaces.teams.credentials import GRAPH

Json = dict[str, Any]

CHECK_DELAYS_S = (1.0, 4.0)
"""Seconds before each look: a message that has just arrived is not listed at once."""
PAGE_SIZE = 50
MAX_PAGES = 20
"""Pages of a conversation that are read for what was missed."""


def marked(activity: Json) -> tuple[Json, str]:
    """The activity with a random id in its card, and that id; empty where it has no card."""
    if not activity.get("attachments") or "body" not in activity["attachments"][0]["content"]:
        return activity, ""
    made, mark = copy.deepcopy(activity), f"m{uuid.uuid4().hex}"
    made["attachments"][0]["content"]["body"][0]["id"] = mark
    return made, mark


class GraphMessages:
    """The newest messages of a conversation."""

    def __init__(
        self, client: ConnectorClient, service_urls: ServiceUrls, app_id: str, graph_url: str
    ) -> None:
        """`graph_url`: Graph's address; empty: there is none that our tokens are for."""
        self._client = client
        self._service_urls = service_urls
        self._app_id = app_id
        self._graph_url = graph_url
        self.looks_after_s: Sequence[float] = CHECK_DELAYS_S

    async def find(self, where: Conversation, mark: str) -> str | None:
        """The id of our message with this mark; None if it did not arrive, or that can't be found out."""
        if not mark or not self._graph_url or is_personal(where.channel):
            return None
        return await look_for(lambda: self._search(where, mark), self.looks_after_s)

    async def newest(self, where: Conversation, is_wanted: Callable[[Json], bool]) -> list[Json]:
        """The newest messages that are wanted, in their order; none of personal chats.

        Of a conversation in which very much was written, the newest. Raises RetryLater, Rejected.
        """
        if not self._graph_url or is_personal(where.channel):
            return []
        found: list[Json] = []
        url = f"{await self._address(where)}?$top={PAGE_SIZE}"
        for _ in range(MAX_PAGES):
            answer = await self._client.call("history", "GET", url, resource=GRAPH)
            page = [each for each in _listed(answer) if is_wanted(each)]
            found += page
            url = str(answer.get("@odata.nextLink") or "")
            if not page or not url.startswith(f"{self._graph_url}/"):
                break
        return sorted(found, key=written_at)

    async def _search(self, where: Conversation, mark: str) -> str | None:
        messages = await self._address(where)
        url = f"{messages}?$top={PAGE_SIZE}"
        answer = await self._client.call("history", "GET", url, resource=GRAPH)
        found = (each for each in _listed(answer) if self._is_marked(each, mark))
        return next((str(each.get("id")) for each in found), None)

    async def _address(self, where: Conversation) -> str:
        channel = quote(where.channel, safe="")
        if not is_channel(where.channel):
            return f"{self._graph_url}/chats/{channel}/messages"
        messages = f"{self._graph_url}/teams/{await self._group(where.channel)}/channels/{channel}/messages"
        return f"{messages}/{quote(where.thread, safe='')}/replies" if where.thread else messages

    async def _group(self, channel: str) -> str:
        """Graph's id of the channel's team."""
        team, service_url = await self._service_urls.team(channel), await self._service_urls.of(channel)
        answer = await self._client.call("team", "GET", address(service_url or "", "teams", team))
        return quote(str(answer.get("aadGroupId") or ""), safe="")

    def _is_marked(self, message: Json, mark: str) -> bool:
        sender = _object(_object(message.get("from")).get("application"))
        attachments = message.get("attachments")
        cards = [str(_object(each).get("content")) for each in attachments or ()]
        return sender.get("id") == self._app_id and any(mark in each for each in cards)


def _listed(answer: Json) -> list[Json]:
    listed = answer.get("value")
    return [each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict)]


def written_at(message: Mapping[str, Any]) -> float:
    """In seconds; before everything where the message doesn't say it."""
    try:
        return datetime.fromisoformat(str(message.get("createdDateTime"))).timestamp()
    except ValueError:
        return 0.0


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}
