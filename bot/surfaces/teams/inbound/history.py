"""Messages of a conversation as Microsoft Graph lists them, for what was written while nobody received it.

Graph has them as HTML, activities as text; both name mentions by a text that stands for each. A message that
was edited or deleted since is left out: it no longer says what it said when it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from html.parser import HTMLParser
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from bot.surfaces.chat.inbound.catchup import HistoryStart
from bot.surfaces.chat.inbound.ports import IncomingMessage
from bot.surfaces.chat.places import ChatPlace, Conversation
from bot.surfaces.teams.connector.graph import written_at
from bot.surfaces.teams.conversations import full_id, is_channel
from bot.surfaces.teams.inbound.payloads import REFERENCE, Activity, is_before

log = structlog.get_logger(__name__)

Json = Mapping[str, Any]

CLOCK_SKEW_S = 2.0
"""Teams' clock may be this far behind the store's."""
_LINE_ENDS = frozenset({"p", "div", "li", "blockquote"})


class Messages(Protocol):
    """Where messages are listed."""

    async def newest(self, where: Conversation, is_wanted: Callable[[Json], bool]) -> Sequence[Json]:
        """Graph's newest messages that are wanted, in order. Raises RetryLater, Rejected."""


class TeamsThreadHistory:
    """Reply chains and group chats of one tenant. Implements `ThreadHistory`."""

    def __init__(self, messages: Messages, app_id: str) -> None:
        self._messages = messages
        self._app_id = app_id

    async def replies(self, place: ChatPlace, since: HistoryStart) -> list[IncomingMessage]:
        """What people wrote since then. Raises RetryLater, Rejected."""
        listed = await self._messages.newest(place.conversation, partial(_is_later, since))
        return list(self._said(place, listed))

    def _said(self, place: ChatPlace, listed: Sequence[Json]) -> Iterator[IncomingMessage]:
        for message in listed:
            try:
                activity = as_activity(message, place, self._app_id)
                if activity is not None:
                    yield Activity.model_validate(activity).incoming()
            except ValidationError as error:
                log.warning("a message doesn't have Microsoft Graph's format", problems=error.error_count())


def _is_later(since: HistoryStart, message: Json) -> bool:
    """Whether a message was written since then, or may have been: ids, which are Teams' own, may not tell."""
    message_id = str(message.get("id") or "")
    follows = any(is_before(each, message_id) is not False for each in since.shown)
    return follows or written_at(message) >= since.asked_at - CLOCK_SKEW_S


def as_activity(message: Json, place: ChatPlace, app_id: str) -> dict[str, Any] | None:
    """The activity that brings such a message; None if no person wrote it, or it was changed since."""
    user = _object(_object(message.get("from")).get("user"))
    changed = message.get("lastEditedDateTime") or message.get("deletedDateTime")
    if message.get("messageType", "message") != "message" or changed or not user.get("id"):
        return None
    body = _object(message.get("body"))
    content = str(body.get("content") or "")
    return {
        "type": "message",
        "id": str(message.get("id") or ""),
        "timestamp": message.get("createdDateTime"),
        "serviceUrl": "graph",
        "from": {"id": str(user["id"]), "aadObjectId": str(user["id"]), "name": user.get("displayName")},
        "recipient": {"id": f"28:{app_id}"},
        "conversation": {
            "id": full_id(place.conversation),
            "conversationType": "channel" if is_channel(place.channel) else "groupChat",
            "tenantId": place.tenant,
        },
        "text": text_of(content) if body.get("contentType") == "html" else content,
        "entities": [_mention(_object(each)) for each in _listed(message.get("mentions"))],
        "attachments": [
            {"contentType": REFERENCE, "id": str(each.get("id") or "")}
            for each in map(_object, _listed(message.get("attachments")))
            if each.get("contentType") == REFERENCE
        ],
    }


def _mention(mention: Json) -> dict[str, Any]:
    who, name = _object(mention.get("mentioned")), str(mention.get("mentionText") or "")
    application, user = _object(who.get("application")), _object(who.get("user"))
    if application.get("id"):
        mentioned = {"id": f"28:{application['id']}", "name": name}
    elif user.get("id"):
        mentioned = {"id": str(user["id"]), "name": name}
    else:
        mentioned = {"id": f"group:{name}", "name": name, "type": "channel"}
    return {"type": "mention", "text": f"<at>{name}</at>", "mentioned": mentioned}


def text_of(content: str) -> str:
    """The text of a message's HTML, with `<at>Ada</at>` for mentions, as activities have it."""
    reader = _TextReader()
    reader.feed(content)
    reader.close()
    return "".join(reader.parts).strip()


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        match tag:
            case "br":
                self.parts.append("\n")
            case "at":
                self.parts.append("<at>")
            case "emoji" | "img":
                self.parts.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "at":
            self.parts.append("</at>")
        elif tag in _LINE_ENDS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
