"""What a listener's work comes to: words for who acted, and what is to be done after the acknowledgement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bot.surfaces.slack.cards.runcard import Message


@dataclass(frozen=True)
class ReplyTarget:
    """A private line to the person who acted."""

    team: str
    user: str
    channel: str = ""
    thread: str = ""
    #: Slack's own way back to the person, where it gave one.
    response_url: str = ""
    #: The message that was pressed on is private already and is replaced by the answer.
    replaces: bool = False


@dataclass(frozen=True)
class Reply:
    """Nothing to say is the usual reply: what people see then is the thread."""

    say: Message | None = None
    #: Of a modal: what is wrong, by block_id. The modal stays open.
    errors: Mapping[str, str] = field(default_factory=dict)
    #: Done after the acknowledgement, once for a delivery however often it arrives.
    then: Callable[[], Awaitable[None]] | None = None


SILENT = Reply()


def said(text: str) -> Reply:
    """A reply in words that are Slack's own text already."""
    return Reply(say=Message(text=text))
