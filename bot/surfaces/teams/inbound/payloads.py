"""Teams' activities as frozen values with the fields that are used, and the neutral values made of them.

An activity that lacks what is needed raises pydantic's ValidationError, which is answered with 400.

Teams says in three ways that a message is quoted: an entity `quotedReply` with a tag in the text that stands
for it (since 2026), a block quote in the HTML that comes beside the text, and in Microsoft Graph an
attachment of its own kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from bot.core.locales import Locale
from bot.surfaces.chat.inbound.ports import (
    DeletedMessage,
    FormSubmission,
    IncomingMessage,
    Payload,
    Press,
    ReplyTarget,
)
from bot.surfaces.chat.places import Conversation, MessageRef
from bot.surfaces.teams import SURFACE
from bot.surfaces.teams.card_data import Pressed, Submitted
from bot.surfaces.teams.conversations import is_personal, parse
from bot.surfaces.teams.inbound.mentions import Mentioned, MessageText

HTML = "text/html"
REFERENCE = "messageReference"
"""The kind of attachment by which Graph says that a message is quoted."""
UNKNOWN = ""
"""Stands for a message of which it isn't said which one it is."""

_BLOCK = re.compile(r"<blockquote\b([^<>]*)>", re.IGNORECASE)
_REPLY = re.compile(r"\bitemtype\s*=\s*[\"']https?://schema\.skype\.com/Reply[\"']", re.IGNORECASE)
_ITEM = re.compile(r"\bitemid\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
_TAG = re.compile(r"<quoted\b[^<>]*>(?:\s*</quoted>)?", re.IGNORECASE)


def quoted_in(html: str) -> Iterator[str]:
    """The ids of messages that are quoted in this HTML; UNKNOWN for one without an id."""
    for block in _BLOCK.finditer(html):
        if _REPLY.search(block[1]):
            item = _ITEM.search(block[1])
            yield item[1] if item else UNKNOWN


def without_quotes(text: str) -> str:
    """The text without the tags that stand for quoted messages."""
    return _TAG.sub("", text).strip()


FILE = "application/vnd.microsoft.teams.file.download.info"
MAX_ID_DIGITS = 20
MAX_LOCALE_LENGTH = 100
"""Characters of a locale's tag and of a time zone's name; the longest ones have about half of it."""
_APPS = "28:"
"""With what the ids of apps begin."""
_GROUPS = frozenset({"channel", "team", "tag"})
_QUOTED = "quotedReply"


class Account(Payload):
    """A person, an app, or (mentioned) a channel or tag."""

    id: str
    name: str = ""
    #: The object id in Microsoft Entra, by which a person is known; apps and anonymous people have none.
    object_id: str = Field("", alias="aadObjectId")
    type: str = ""


class Chat(Payload):
    """The conversation: a channel's reply chain, a group chat, or a personal chat."""

    id: str = Field(min_length=1)
    type: str = Field("", alias="conversationType")
    tenant: str = Field("", alias="tenantId")


class Id(Payload):
    """Anything of which only the id is needed."""

    id: str = ""


class ChannelData(Payload):
    """What Teams adds."""

    tenant: Id = Id()
    team: Id = Id()
    event: str = Field("", alias="eventType")


class Quoted(Payload):
    """A message that is quoted."""

    message_id: str = Field(UNKNOWN, alias="messageId")


class Entity(Payload):
    """What is to be known of a text or its client: of mentions, who is mentioned and where."""

    type: str = ""
    locale: str = ""
    timezone: str = ""
    mentioned: Account | None = None
    quoted: Quoted = Field(Quoted(), alias="quotedReply")
    text: str = ""


class Attachment(Payload):
    """Something that came with a message."""

    id: str = ""
    content_type: str = Field("", alias="contentType")
    name: str = ""
    content: Any = None

    @property
    def is_content(self) -> bool:
        """Whether a person added it: a file, a picture, a card. The rest says how the text looks."""
        return bool(self.content_type) and self.content_type not in {HTML, REFERENCE}

    @property
    def file_name(self) -> str:
        return self.name if self.content_type == FILE else ""

    @property
    def quotes(self) -> Iterator[str]:
        """The ids of messages that it quotes."""
        if self.content_type == HTML and isinstance(self.content, str):
            yield from quoted_in(self.content)
        elif self.content_type == REFERENCE:
            yield self.id


class Activity(Payload):
    """What all activities have in common, and what messages have besides."""

    type: str
    id: str = Field(min_length=1)
    timestamp: datetime | None = None
    service_url: str = Field(alias="serviceUrl", min_length=1)
    #: The Bot Connector's channel: Teams, or another one that the bot is registered with.
    channel_id: str = Field("", alias="channelId")
    sender: Account = Field(alias="from")
    recipient: Account
    chat: Chat = Field(alias="conversation")
    data: ChannelData = Field(ChannelData(), alias="channelData")
    #: Of an invoke: what is wanted.
    name: str = ""
    #: Of an invoke, and of a message that is a press: what came with it.
    value: Any = None
    reply_to: str = Field("", alias="replyToId")
    text: str = ""
    #: Of the client in which the person acts: a BCP 47 tag, and the name of a time zone.
    locale: str = ""
    timezone: str = Field("", alias="localTimezone")
    entities: tuple[Entity, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    #: Of `installationUpdate`: `add`, `remove`, and each of them with `-upgrade`.
    action: str = ""
    added: tuple[Id, ...] = Field((), alias="membersAdded")
    removed: tuple[Id, ...] = Field((), alias="membersRemoved")

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants that it names."""
        return frozenset({self.chat.tenant.lower(), self.data.tenant.id.lower()} - {""})

    @property
    def tenant(self) -> str:
        """The tenant, of an activity that names one."""
        return next(iter(self.tenants))

    @property
    def where(self) -> Conversation:
        return parse(self.chat.id)

    @property
    def from_person(self) -> bool:
        return bool(self.sender.object_id) and not self.sender.id.startswith(_APPS)

    @property
    def user(self) -> str:
        """The object id of who acts; empty: nobody who could be known."""
        return self.sender.object_id.lower()

    @property
    def client_locale(self) -> Locale:
        """How the person's client writes numbers and dates, as far as it says so."""
        told = [each for each in self.entities if each.type == "clientInfo"]
        tags = (self.locale, *(each.locale for each in told))
        zones = (self.timezone, *(each.timezone for each in told))
        return Locale(
            tag=next(filter(None, tags), "")[:MAX_LOCALE_LENGTH],
            timezone=next(filter(None, zones), "")[:MAX_LOCALE_LENGTH],
        )

    @property
    def key(self) -> str:
        """Names this activity, however often it arrives."""
        return f"{SURFACE}:{self.tenant}:{self.type}:{self.where.channel}:{self.id}"

    @property
    def to_sender(self) -> ReplyTarget:
        where = self.where
        return ReplyTarget(self.tenant, self.user, where.channel, where.thread or "")

    # ── what people do ──────────────────────────────────────────────────────────────────────────────────

    def press(self, pressed: Pressed, *, form_id: str = "") -> Press:
        """A button that was pressed, in a form or in the message that this replies to."""
        posted = MessageRef(self.where.channel, self.reply_to) if self.reply_to and not form_id else None
        return Press(
            key=self.key,
            action=pressed.action,
            value=pressed.value,
            reply_to=self.to_sender,
            installation=self.where.channel,
            message=posted,
            form_id=form_id,
            form=self.submission(pressed.form) if pressed.form else None,
            ticked=pressed.ticked,
        )

    def submission(self, sent: Submitted) -> FormSubmission:
        return FormSubmission(
            key=self.key,
            callback=sent.callback,
            metadata=sent.metadata,
            values=sent.values,
            reply_to=self.to_sender,
            installation=self.where.channel,
        )

    def incoming(self) -> IncomingMessage:
        """A message as the engine takes it."""
        said, direct = self._said, self.chat.type == "personal" and is_personal(self.where.channel)
        addressed = said.words if direct else said.addressed
        return IncomingMessage(
            key=self.key,
            id=self.id,
            sent_at=_seconds(self.timestamp) if self.timestamp else 0.0,
            reply_to=self.to_sender,
            from_person=self.from_person,
            direct=direct,
            text=self.text,
            addressed=addressed,
            # Teams says their names beside the text.
            mentioned=frozenset(),
            app_user=self.recipient.id,
            names_others=bool(said.others) and not said.mentions_app,
            speaks_to_others=said.speaks_to_others,
            command_text=lambda _: said.words if addressed is None else addressed,
            answer_text=lambda _: said.words,
            installation=self.where.channel,
            quoted=self.quoted,
            attached=tuple(each.file_name for each in self.attachments if each.is_content),
            follows=lambda other: is_before(other, self.id),
        )

    @property
    def deleted(self) -> DeletedMessage:
        """The message that `messageDelete` tells of."""
        where = self.where
        return DeletedMessage(self.tenant, where.channel, where.thread or "", self.id)

    @property
    def quoted(self) -> frozenset[str]:
        """The ids of the messages that it quotes."""
        told = (each.quoted.message_id for each in self.entities if each.type == _QUOTED)
        return frozenset([*told, *(quote for each in self.attachments for quote in each.quotes)])

    @property
    def _said(self) -> MessageText:
        found = (each for each in self.entities if each.type == "mention" and each.mentioned is not None)
        tagged = any(each.type == _QUOTED for each in self.entities)
        text = without_quotes(self.text) if tagged else self.text
        return MessageText(text, tuple(_mention(each) for each in found), self.recipient.id)


def is_before(one: str, other: str) -> bool | None:
    """Whether a message comes before another one, as far as ids tell: most are milliseconds since 1970."""
    told = all(each.isascii() and each.isdigit() and len(each) <= MAX_ID_DIGITS for each in (one, other))
    return int(one) < int(other) if told else None


def _seconds(at: datetime) -> float:
    """Since the epoch; a time without a zone is in UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _mention(entity: Entity) -> Mentioned:
    """Teams leaves the text out where the name has an ampersand in it."""
    who = entity.mentioned or Account(id="")
    return Mentioned(who.id, who.name, entity.text or f"<at>{who.name}</at>", who.type in _GROUPS)


class Execute(Payload):
    """What the card's `Action.Execute` sends."""

    data: Any = None


class CardAction(Payload):
    """The value of `adaptiveCard/action`."""

    action: Execute


class Task(Payload):
    """The value of `task/fetch` and `task/submit`."""

    data: Any = None
