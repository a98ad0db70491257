"""What people do on a chat platform, and what the app replies: values that no platform owns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.surfaces.chat import messages
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.chat.messages import Form, Message

REPLAYED = "crewdeck_again"
"""Added to a payload that is handled once more. No platform's own payload has such a field."""

Names = Mapping[str, str]


@dataclass(frozen=True)
class ReplyTarget:
    """Where the person who acted is answered in private."""

    tenant: str
    user: str
    channel: str = ""
    thread: str = ""
    #: An address that takes the answer, where the platform gave one.
    reply_url: str = ""
    #: What was pressed on is a private message already: the answer replaces it.
    replaces: bool = False


@dataclass(frozen=True)
class Reply:
    """What handling an interaction results in. Usually nothing is said: people see the thread."""

    say: Message | None = None
    #: What is wrong with a submitted form, by field; under "" what concerns all of it. The form stays open.
    errors: Mapping[str, str] = field(default_factory=dict)
    #: A form to show: in the open one that was pressed in or submitted, else a new one.
    form: Form | None = None
    #: What the person is told instead of both where the form that they acted in is closed by then.
    instead: Callable[[], Awaitable[Message]] | None = None
    #: Runs after the acknowledgement, once for a request however often it arrives.
    then: Callable[[], Awaitable[None]] | None = None
    #: Runs after all that, each time that a request arrives: what it does twice does no harm.
    watch: Callable[[], Awaitable[None]] | None = None


SILENT = Reply()


def said(words: str) -> Reply:
    """A reply in our own words."""
    return Reply(say=messages.said(words))


@dataclass(frozen=True)
class InboundRequest:
    """One request from the platform."""

    #: The same however often the request arrives.
    key: str
    reply_to: ReplyTarget
    #: As it came: what is saved when it is acknowledged before it is handled.
    payload: Mapping[str, Any] = field(default_factory=dict)
    #: Opens a form for this person, for a few seconds.
    form_handle: str = ""
    #: The open form that was pressed in; empty: none was.
    form_id: str = ""

    @property
    def replayed(self) -> bool:
        """It was acknowledged earlier and is handled only now: its acknowledgement reaches nobody."""
        return REPLAYED in self.payload


@dataclass(frozen=True)
class FormSubmission:
    """A form that was submitted."""

    key: str
    #: The form's `callback` and `metadata`.
    callback: str
    metadata: str
    #: What each of its fields holds; empty where nothing was filled in.
    values: Mapping[str, str]
    reply_to: ReplyTarget
    installation: str = ""


@dataclass(frozen=True)
class Press:
    """A button that was pressed, or an option that was chosen."""

    key: str
    action: str
    #: What the button or the option carries: a `Target`, encoded.
    value: str
    reply_to: ReplyTarget
    #: For which installation of the app the platform sent it; empty where it doesn't say.
    installation: str = ""
    #: The message with the button; None: a message that only this person sees, a form, or a page.
    message: Posted | None = None
    #: The open form that holds the button; empty: none does.
    form_id: str = ""
    #: What that form holds so far, on platforms that say it with each press.
    form: FormSubmission | None = None
    #: The values of all options that this person has ticked in the message.
    ticked: tuple[str, ...] = ()
    #: The button opens a link, and nothing else is to be done.
    is_link: bool = False


@dataclass(frozen=True)
class IncomingMessage:
    """A message that somebody wrote where the app can read it."""

    #: The same in whatever event and however often it arrives.
    key: str
    #: The platform's id of the message, unique within its channel.
    id: str
    #: In seconds since the epoch, by the platform's clock.
    sent_at: float
    #: Who wrote it and where; `thread` is the thread that it replies in, empty outside of threads.
    reply_to: ReplyTarget
    #: A person wrote it just now: it is no edit, no notice, and no app's.
    from_person: bool
    #: It was written in direct messages with the app.
    direct: bool
    #: Its words in the platform's markup.
    text: str
    #: It begins with names, whose people are told or asked something, or calls everybody.
    addressed: str | None
    #: Whom it mentions, besides a mention of the app at its beginning.
    mentioned: frozenset[str]
    app_user: str
    #: It names people, or a group of them, and doesn't mention the app.
    names_others: bool
    #: It begins with names, whose people are told or asked something, or it calls everybody.
    speaks_to_others: bool
    #: Its words as people read them, given the names of those whom it mentions.
    command_text: Callable[[Names], str] = field(compare=False)
    answer_text: Callable[[Names], str] = field(compare=False)
    installation: str = ""
    #: The app itself wrote it, and this is what its buttons are about.
    own_target: Target | None = None
    #: The ids of the messages that it quotes; an empty one: nobody knows which.
    quoted: frozenset[str] = frozenset()

    @property
    def is_reply(self) -> bool:
        return bool(self.reply_to.thread)
