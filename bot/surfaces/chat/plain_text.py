"""Parts of lines as plain text, for platforms where they can't be more. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.core.text import visible
from bot.surfaces.chat.lines import (
    Bold,
    ChannelName,
    Code,
    Command,
    Line,
    Link,
    Mention,
    Passage,
    SimplePart,
    Time,
    Untrusted,
)
from bot.surfaces.chat.shortening import beginning, one_line, short

_NO_PLATFORMS = frozenset({"http", "console"})
"""Surfaces on which people of any platform act."""


def plain_words(line: Line) -> str:
    """The line as plain text, for places that take nothing else. Nobody is mentioned."""
    return "".join(map(_plain, without_passages(line)))


def without_passages(line: Line) -> tuple[SimplePart, ...]:
    """The line with the parts of passages in their place."""
    return tuple(
        each
        for part in line
        for each in (without_passages(part.line) if isinstance(part, Passage) else (part,))
    )


def _plain(part: SimplePart) -> str:
    match part:
        case str():
            return part
        case Untrusted():
            return untrusted(part) + part.suffix
        case Mention():
            return name(part)
        case Time():
            return utc(part.at)
        case ChannelName():
            return part.id
        case Bold() | Code() | Command() | Link():
            return part.words


def untrusted(part: Untrusted) -> str:
    """What is shown of a text of others, with everything in it visible."""
    if part.limit is None:
        return visible(part.text)
    return beginning(part.text, part.limit) if part.lines else short(part.text, part.limit)


def name(who: Mention) -> str:
    """What somebody is called who can't be mentioned."""
    surface, _, rest = who.principal.partition(":")
    called = rest.partition(":")[2]
    named = who.name or (f"the API key {called.removeprefix('key:')}" if surface == "http" else called)
    return one_line(named) or "-"


def where(here: str, who: Mention) -> str:
    """`, in Teams`, for somebody of another chat platform than the surface `here`."""
    surface = who.principal.partition(":")[0]
    return "" if surface in {here, *_NO_PLATFORMS} else f", in {platform_title(surface)}"


def platform_title(surface: str) -> str:
    """A chat platform as people call it."""
    return surface.capitalize()


def utc(at: int) -> str:
    """A time (milliseconds) where it can't be shown in the reader's time zone."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
