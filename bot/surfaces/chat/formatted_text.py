"""Formatted text: a tuple of parts that no platform owns, and its plain text. Pure; renderers write JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from bot.core.text import visible
from bot.surfaces.chat.shortening import beginning, one_line, short

Written = TypeVar("Written")


@dataclass(frozen=True)
class Bold:
    """Our own words, in bold."""

    words: str


@dataclass(frozen=True)
class Code:
    """Our own words that can be typed or looked up, such as a run's id."""

    words: str


@dataclass(frozen=True)
class Command:
    """One of our commands, which a platform shows as it is typed there: `/crew list`, `@Crewdeck list`."""

    words: str


@dataclass(frozen=True)
class Untrusted:
    """A name or a short text that is not ours, shown literally.

    It is one line, framed so that it can't pass for our words; `strong` is the same in bold. `bold` and
    `plain` are for what the operator named (a crew's title, an input) and for whole sentences. `lines` keeps
    its line ends.
    """

    text: str
    #: UTF-16 units that are shown; None: all of it, with its line ends.
    limit: int | None = 200
    style: Literal["framed", "strong", "bold", "plain"] = "framed"
    lines: bool = False
    #: Our own punctuation, in the same style.
    suffix: str = ""


@dataclass(frozen=True)
class Mention:
    """A principal. A person or group of the platform is mentioned, and so notified; others are named."""

    principal: str
    #: What others are called, who can't be mentioned: their own words, shown literally in one line.
    name: str = ""


@dataclass(frozen=True)
class Time:
    """A moment, in milliseconds since the epoch, in the reader's own time zone where the platform can."""

    at: int


@dataclass(frozen=True)
class ChannelName:
    """A channel, by its platform's id."""

    id: str


@dataclass(frozen=True)
class Link:
    """Our own words that lead to an address of ours."""

    words: str
    url: str


@dataclass(frozen=True)
class CachedText:
    """Parts that are shown often, such as the list of crews; each platform's rendering of them is cached."""

    text: FormattedText
    _written: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def written(self, form: str, write: Callable[[FormattedText], Written]) -> Written:
        """The parts rendered in this form, once. Callers don't change it."""
        if form not in self._written:
            self._written[form] = write(self.text)
        known: Written = self._written[form]
        return known


SimplePart = str | Bold | Code | Command | Untrusted | Mention | Time | ChannelName | Link


Part = SimplePart | CachedText


FormattedText = tuple[Part, ...]


def joined(lines: Sequence[FormattedText]) -> FormattedText:
    """These texts, one below the other."""
    return tuple(part for at, each in enumerate(lines) for part in (("\n", *each) if at else each))


# ── as plain text ───────────────────────────────────────────────────────────────────────────────────────

_NO_PLATFORMS = frozenset({"http", "console"})
"""Surfaces on which people of any platform act."""


def plain_words(text: FormattedText) -> str:
    """The text without formatting, for places that take nothing else. Nobody is mentioned."""
    return "".join(map(_plain, flattened(text)))


def flattened(text: FormattedText) -> tuple[SimplePart, ...]:
    """The text with the parts of cached texts in their place."""
    return tuple(
        each for part in text for each in (flattened(part.text) if isinstance(part, CachedText) else (part,))
    )


def _plain(part: SimplePart) -> str:
    match part:
        case str():
            return part
        case Untrusted():
            return untrusted(part) + part.suffix
        case Mention():
            return display_name(part)
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


def display_name(who: Mention) -> str:
    """What somebody is called who can't be mentioned."""
    surface, _, rest = who.principal.partition(":")
    called = rest.partition(":")[2]
    named = who.name or (f"the API key {called.removeprefix('key:')}" if surface == "http" else called)
    return one_line(named) or "-"


def platform_suffix(here: str, who: Mention) -> str:
    """`, in Teams`, for somebody of another chat platform than the surface `here`."""
    surface = who.principal.partition(":")[0]
    return "" if surface in {here, *_NO_PLATFORMS} else f", in {platform_title(surface)}"


def platform_title(surface: str) -> str:
    """A chat platform as people call it."""
    return surface.capitalize()


def utc(at: int) -> str:
    """A time (milliseconds) where it can't be shown in the reader's time zone."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
