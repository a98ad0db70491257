"""Payloads of Slack's Events API as frozen values, and messages in them as the inbound engine takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from pydantic import field_validator

from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.ports import DeletedMessage, IncomingMessage, Payload, ReplyTarget
from bot.surfaces.slack.inbound import words
from bot.surfaces.slack.inbound.payloads import OnlyId, SlackId

log = structlog.get_logger(__name__)


class Authorization(Payload):
    """Whom an event was delivered for."""

    team_id: SlackId | None = None
    user_id: SlackId = ""
    is_bot: bool = False


class AttachedFile(Payload):
    """A file that came with a message."""

    name: str = ""
    title: str = ""


class OtherMessage(Payload):
    """The message that an event tells of, as it is by now or as it was before."""

    subtype: str = ""
    ts: str = ""
    thread_ts: str = ""

    @property
    def is_tombstone(self) -> bool:
        """What is left of a deleted message that has replies."""
        return self.subtype == "tombstone"


class MessageEvent(Payload):
    """A message, or a mention of the app: both are delivered of one message, with the same channel and ts."""

    type: str
    subtype: str | None = None
    channel: SlackId = ""
    channel_type: str = ""
    ts: str = ""
    thread_ts: str | None = None
    user: SlackId = ""
    bot_id: str | None = None
    app_id: str | None = None
    hidden: bool = False
    text: str = ""
    files: tuple[AttachedFile, ...] = ()
    #: Messages that it forwards, and the like.
    attachments: tuple[dict[str, Any], ...] = ()
    blocks: tuple[dict[str, Any], ...] | None = None

    #: Of `message_deleted`: the message, and what it was before.
    deleted_ts: str = ""
    previous_message: OtherMessage = OtherMessage()
    #: Of `message_changed`: what it is by now.
    message: OtherMessage = OtherMessage()

    @property
    def human(self) -> bool:
        """Did a person write this just now? Not so: edits, deletions, joins, bots, ourselves."""
        kinds = {None, "file_share", "thread_broadcast"}
        return self.subtype in kinds and not self.hidden and not self.bot_id and bool(self.user and self.ts)

    @property
    def deleted(self) -> str:
        """The ts of the message that somebody deleted, as this says; empty: it says something else."""
        match self.subtype:
            case "message_deleted":
                return self.deleted_ts
            case "message_changed" if self.message.is_tombstone:
                return self.message.ts
            case _:
                return ""

    @property
    def is_reply(self) -> bool:
        return bool(self.thread_ts) and self.thread_ts != self.ts

    @property
    def attached(self) -> tuple[str, ...]:
        """The names of what came with it."""
        return (*(file.name or file.title for file in self.files), *("" for _ in self.attachments))


class Event(Payload):
    """The envelope of the Events API."""

    team_id: SlackId
    event_id: str = ""
    authorizations: tuple[Authorization, ...] = ()
    event: dict[str, Any]

    @field_validator("event")
    @classmethod
    def _has_a_type(cls, event: dict[str, Any]) -> dict[str, Any]:
        """Bolt chooses who handles it by its type."""
        if not isinstance(event.get("type"), str):
            raise ValueError("an event has a type")  # noqa: TRY004 - pydantic reports it
        return event

    @property
    def team(self) -> str:
        """The workspace that the app is installed in; in shared channels the other one may be `team_id`."""
        return next((each.team_id for each in self.authorizations if each.team_id), self.team_id)

    @property
    def app_user(self) -> str:
        """The app's own user, as the envelope names it; empty if it does not."""
        return next((each.user_id for each in self.authorizations if each.is_bot), "")

    @property
    def key(self) -> str:
        return f"slack:{self.team}:event:{self.event_id}"

    def incoming(self, team: str, app_user: str) -> IncomingMessage:
        """The message in it. `team` and `app_user`: of the installation, where it is known already."""
        said = MessageEvent.model_validate(self.event)
        return incoming(said, team or self.team, self.app_user or app_user, installation=self.team)

    def deleted(self, team: str) -> DeletedMessage | None:
        """The message that it says is deleted; None for all other events."""
        said = MessageEvent.model_validate(self.event)
        if not said.deleted:
            return None
        thread = said.previous_message.thread_ts or said.deleted
        return DeletedMessage(team or self.team, said.channel, thread, said.deleted)


def incoming(said: MessageEvent, team: str, app_user: str, installation: str = "") -> IncomingMessage:
    """A message as the engine takes it. `installation` is empty where we read it ourselves."""
    addressed = words.addressed(said.text, app_user)
    command = said.text if addressed is None else addressed
    return IncomingMessage(
        # A message has one channel and ts, in whatever event and however often it arrives.
        key=f"slack:{team}:message:{said.channel}:{said.ts}",
        id=said.ts,
        sent_at=_seconds(said.ts),
        reply_to=ReplyTarget(
            team, said.user, said.channel, said.thread_ts if said.is_reply and said.thread_ts else ""
        ),
        from_person=said.human and said.user != app_user,
        direct=said.channel_type == "im",
        text=said.text,
        addressed=addressed,
        mentioned=words.mentions(command),
        app_user=app_user,
        names_others=words.names_people(said.text, app_user) and app_user not in words.mentions(said.text),
        speaks_to_others=words.speaks_to_people(said.text),
        command_text=lambda names: words.read(words.plain(command, names), said.blocks),
        answer_text=lambda names: _answer_text(said, app_user, names),
        installation=installation,
        own_target=_target_of(said) if said.user and said.user == app_user else None,
        attached=said.attached,
        follows=lambda other: _seconds(other) < _seconds(said.ts),
    )


def _answer_text(said: MessageEvent, app_user: str, names: Mapping[str, str]) -> str:
    """What was said, with the emoji in the place of their names."""
    spoken = words.plain(words.without_mention(said.text, app_user), names)
    return words.read(spoken, said.blocks)


def _target_of(said: MessageEvent) -> Target | None:
    """What the buttons of a message of ours are about: a question, or a run; None: neither."""
    if not said.channel or not said.ts:
        return None
    for element in _elements(said.blocks or ()):
        action_id, options = str(element.get("action_id", "")), _objects(element.get("options"))
        first: Mapping[str, Any] = next(options, {})
        value = str(element.get("value") or first.get("value") or "")
        try:
            if actions.WITH_TARGET.fullmatch(action_id):
                return Target.decode(value)
        except ValueError:
            log.info("a button of the app has an unknown value", action_id=action_id)
    return None


def _elements(blocks: tuple[Mapping[str, Any], ...]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        if block.get("type") == "actions":
            yield from _objects(block.get("elements"))


def _objects(listed: object) -> Iterator[Mapping[str, Any]]:
    return (each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict))


def _seconds(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return 0.0


class AppHomeOpened(Payload):
    """Somebody opened one of the app's tabs."""

    user: SlackId
    tab: str = "home"


class UserChanged(Payload):
    """Something about a person changed: their profile, what they may, whether they are there at all."""

    user: OnlyId


class Tokens(Payload):
    """Tokens by whose they are."""

    bot: tuple[str, ...] = ()


class TokensRevoked(Payload):
    """Tokens stopped working."""

    tokens: Tokens = Tokens()
