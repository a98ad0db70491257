"""What passes between a chat platform and the inbound engine: values that no platform owns, and the ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, model_validator

from bot.core.locales import Locale
from bot.core.people.actor import Actor
from bot.surfaces.chat import messages
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.formatted_text import Part
from bot.surfaces.chat.messages import Form, Message
from bot.surfaces.chat.places import MessageRef

REPLAYED = "crewdeck_again"
"""Marks a payload that is handled again. No platform's own payload has such a field."""

Names = Mapping[str, str]


class Payload(BaseModel):
    """A part of what a platform sends: nothing that isn't used, and null is the same as nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}


class Unacceptable(Exception):  # noqa: N818 - it is an answer to the sender, not a failure of ours
    """What came is refused with this HTTP status; the message is for the sender."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


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
    #: The message in place of both, if the form that the person acted in has been closed.
    fallback: Callable[[], Awaitable[Message]] | None = None
    #: Runs after the acknowledgement, once for a request however often it arrives; not if `form` isn't shown.
    then: Callable[[], Awaitable[None]] | None = None
    #: Runs after all that, each time that a request arrives: what it does twice does no harm.
    watch: Callable[[], Awaitable[None]] | None = None


SILENT = Reply()


def text_reply(*parts: Part) -> Reply:
    """A reply of one paragraph."""
    return Reply(say=messages.text_message(*parts))


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
    message: MessageRef | None = None
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
    #: What it says to the app, whose mention it begins with, without that; None: it doesn't begin so.
    addressed: str | None
    #: Whom it mentions, besides a mention of the app at its beginning.
    mentioned: frozenset[str]
    #: The platform's id of the app, as mentions have it.
    app_user: str
    #: It names people, or a group of them, and doesn't mention the app.
    names_others: bool
    #: It begins with names, whose people are told or asked something, or it calls everybody.
    speaks_to_others: bool
    #: Its words as a command, without a mention of the app, given the names of those whom it mentions.
    command_text: Callable[[Names], str] = field(compare=False)
    #: Its words as an answer, given the same; without what is `attached`.
    answer_text: Callable[[Names], str] = field(compare=False)
    #: For which installation of the app the platform sent it; empty where that isn't known.
    installation: str = ""
    #: The app itself wrote it, and this is what its buttons are about.
    own_target: Target | None = None
    #: The ids of the messages that it quotes; an empty one: nobody knows which.
    quoted: frozenset[str] = frozenset()
    #: What came beside its words, such as files, by name; an empty one: it has no name.
    attached: tuple[str, ...] = ()
    #: Whether it was written after the message of this id in its channel; None where the ids don't tell.
    follows: Callable[[str], bool | None] = field(default=lambda _: None, compare=False)

    @property
    def is_reply(self) -> bool:
        return bool(self.reply_to.thread)


@dataclass(frozen=True)
class DeletedMessage:
    """A message that somebody deleted, whoever had written it."""

    tenant: str
    channel: str
    #: The thread that it was in, or that it opened; empty where there are none.
    thread: str
    id: str


BeforeAsking = Callable[[], Awaitable[object]]
"""What is done before a platform is asked who somebody is, which may take long."""


class ActorResolver(Protocol):
    """Who acts."""

    def principal(self, user: str) -> str:
        """What names this user in policies, whoever they turn out to be; empty if that isn't known yet."""

    async def actor(
        self, user: str, installation: str = "", before_asking: BeforeAsking | None = None
    ) -> Actor:
        """Return the actor that this user is.

        `before_asking` is called before the platform is asked, and what that raises is raised.

        Raises ProfileUnavailable, StoreUnavailable; another CrewdeckError: this person may do nothing.
        """

    async def locale(self, user: str, /) -> Locale:
        """How this user writes numbers and dates. Raises ProfileUnavailable, StoreUnavailable."""

    async def names(self, users: Iterable[str]) -> Mapping[str, str]:
        """What these users are called; those whose name can't be found out now are left out."""


class PrivateMessenger(Protocol):
    """Tells one person something that nobody else sees."""

    async def tell(self, to: ReplyTarget, message: Message) -> bool:
        """Tell it in the best way that works; False if none does."""


class FormOpener(Protocol):
    """Shows forms to people who just acted. Raises nothing of the platform's."""

    async def open(self, handle: str, form: Form, to: ReplyTarget) -> bool:
        """Open a form; if that fails (False), tell the person what to do."""

    async def replace(self, form_id: str, form: Form, to: ReplyTarget) -> bool:
        """Show another form in place of an open one; False if it was closed meanwhile."""


class Orphans(Protocol):
    """Messages of ours whose place nobody recorded."""

    async def is_recorded(self, run_id: str, posted: MessageRef) -> bool:
        """Whether this message is recorded. False while the store is away."""

    async def adopt(
        self, run_id: str, question_id: str, posted: MessageRef, *, tenant: str, thread: str
    ) -> None:
        """Record a message, in this thread or in none, unless it is recorded. Raises StoreUnavailable."""

    async def adopt_unless_recorded_soon(
        self, run_id: str, question_id: str, posted: MessageRef, *, tenant: str, thread: str
    ) -> None:
        """Adopt this message unless it is recorded in a moment."""

    async def show_anew(self, tenant: str, posted: MessageRef, thread: str) -> None:
        """Have the open questions shown again that a deleted message showed. Raises StoreUnavailable."""

    async def show_outcome(self, run_id: str, question_id: str, posted: MessageRef) -> None:
        """Show a settled question's outcome in this message. Best effort; the next press retries."""
