"""What a tenant holds: people, conversations and their messages."""

from __future__ import annotations

import copy
import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from tests.loopback.slack.wire import Body, Json

Kind = Literal["channel", "groupChat", "personal"]

CARD = "application/vnd.microsoft.card.adaptive"


class ConnectorError(Exception):
    """The Bot Connector refuses: `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.body: Body = {"error": {"code": code, "message": message or code}}


class OAuthError(ConnectorError):
    """The token endpoint refuses: `{"error": code}`."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code)
        self.body = {"error": code, "error_description": f"AADSTS: {code}"}


@dataclass(frozen=True)
class User:
    """A person. `id` is what Teams calls them in conversations with one bot, `object_id` who they are."""

    id: str
    object_id: str
    name: str
    tenant: str
    role: Literal["user", "guest", "anonymous"] = "user"

    def account(self) -> Body:
        """As `from` of an activity."""
        return {"id": self.id, "name": self.name, "aadObjectId": self.object_id}

    def member(self) -> Body:
        """As a member of a conversation."""
        return self.account() | {
            "objectId": self.object_id,
            "givenName": self.name,
            "surname": "",
            "email": f"{self.object_id}@example.com",
            "userPrincipalName": f"{self.object_id}@example.com",
            "tenantId": self.tenant,
            "userRole": self.role,
        }


@dataclass
class Conversation:
    """A channel, a group chat or a personal chat; its messages by id, oldest first."""

    id: str
    kind: Kind
    tenant: str
    members: dict[str, User] = field(default_factory=dict)
    messages: dict[str, Body] = field(default_factory=dict)
    #: Why the bot may not write here; empty: it may.
    closed: str = ""
    team: str = ""
    #: Of a channel; the first one of a team has none.
    name: str = ""

    def member(self, member_id: str) -> User:
        """By the id in conversations or by object id."""
        for user in self.members.values():
            if member_id in (user.id, user.object_id):
                return user
        raise ConnectorError(404, "MemberNotFoundInConversation")


@dataclass(frozen=True)
class Message:
    """A message as it is now."""

    conversation: str
    #: The first message of the reply chain that it stands in; None: it is the first, or in a chat.
    thread: str | None
    body: Body

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def text(self) -> str:
        return str(self.body.get("text") or "")

    @property
    def from_bot(self) -> bool:
        return str(self.body["from"]["id"]).startswith("28:")

    @property
    def cards(self) -> list[Body]:
        attachments = self.body.get("attachments") or []
        return [each["content"] for each in attachments if each["contentType"] == CARD]

    @property
    def words(self) -> str:
        """All that is to be read: of its cards if there are any, a line for each text block."""
        return words(self.cards) if self.cards else self.text

    @property
    def actions(self) -> list[Body]:
        """What can be pressed, also on cards that a button shows."""
        return [action for card in self.cards for action in actions(card)]

    @property
    def labels(self) -> list[str]:
        """Labels of what can be pressed or chosen, in order."""
        return [label for card in self.cards for label in labels(card)]

    @property
    def refresh(self) -> Body | None:
        return next((card["refresh"] for card in self.cards if "refresh" in card), None)


HIDDEN = frozenset({"fallback", "data", "msteams", "refresh"})


def elements(node: Json, hidden: frozenset[str] = HIDDEN) -> Iterator[Body]:
    """Everything in a card that has a type, in order; what is only a fallback is left out."""
    if isinstance(node, list):
        for each in node:
            yield from elements(each, hidden)
    elif isinstance(node, dict):
        if "type" in node:
            yield node
        for name, value in node.items():
            if name not in hidden:
                yield from elements(value, hidden)


def actions(card: Body) -> list[Body]:
    """The actions of a card but those that only show another card."""
    kinds = ("Action.Execute", "Action.Submit", "Action.OpenUrl")
    return [each for each in elements(card) if each["type"] in kinds]


def inputs(card: Body) -> list[Body]:
    return [each for each in elements(card) if each["type"].startswith("Input.")]


def labels(card: Body) -> list[str]:
    """What is seen at first: a card that a button shows is not."""
    found: list[str] = []
    for each in elements(card, HIDDEN | {"card"}):
        if each["type"].startswith("Action."):
            found.append(each["title"])
        if each["type"] == "Input.ChoiceSet":
            found.extend(choice["title"] for choice in each["choices"])
    return found


def words(cards: list[Body]) -> str:
    """A line for each text."""
    found: list[str] = []
    for each in elements(cards):
        match each["type"]:
            case "TextBlock":
                found.append(each["text"])
            case "RichTextBlock":
                found.append("".join(run if isinstance(run, str) else run["text"] for run in each["inlines"]))
            case "Fact":
                found.append(f"{each['title']} {each['value']}")
    return "\n".join(found)


class Tenant:
    """Everything that a tenant's people and the bot see."""

    def __init__(self, tenant_id: str, bot: Body) -> None:
        self.id = tenant_id
        self.bot = bot
        self.users: dict[str, User] = {}
        self.conversations: dict[str, Conversation] = {}
        self._ids = itertools.count(int(time.time() * 1000))
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def next_id(self) -> str:
        return str(next(self._ids))

    def add(self, conversation: Conversation) -> Conversation:
        self.conversations[conversation.id] = conversation
        return conversation

    def find(self, full_id: str) -> tuple[Conversation, str | None]:
        """The conversation, and the first message of the reply chain that the id names."""
        base, _, thread = full_id.partition(";messageid=")
        found = self.conversations.get(base)
        if found is None or (thread and found.kind != "channel"):
            raise ConnectorError(404, "ConversationNotFound")
        return found, thread or None

    def personal(self, user: User) -> Conversation:
        """The chat of a person with the bot, made when it is needed."""
        for each in self.conversations.values():
            if each.kind == "personal" and user.id in each.members:
                return each
        chat = Conversation(f"a:{uuid.uuid4().hex}", "personal", user.tenant, {user.id: user})
        return self.add(chat)

    def post(self, full_id: str, by: Body, activity: Body) -> Message:
        """Store a message; in a channel without a reply chain it begins one."""
        where, thread = self.find(full_id)
        if thread and thread not in where.messages:
            raise ConnectorError(404, "ConversationNotFound", "The reply chain is not there")
        body = copy.deepcopy(activity) | {"id": self.next_id(), "from": by, "thread": thread}
        body["createdDateTime"] = self.clock().isoformat()
        where.messages[body["id"]] = body
        return shown(where, body)


def shown(where: Conversation, body: Body) -> Message:
    """A snapshot."""
    return Message(where.id, body["thread"], copy.deepcopy(body))
