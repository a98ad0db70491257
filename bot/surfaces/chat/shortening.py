"""Lengths and parts of texts as chat clients count them: in UTF-16 units. Pure, in linear time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.core.text import visible

ELLIPSIS = "…"
MAX_CHARACTER_UNITS = 10
"""What one character takes at most when it is made visible or escaped: `[U+10FFFF]`."""
LOOK_AHEAD = 8
"""Characters of a text that are looked at for each one that is shown: spaces are run together."""


def length(text: str) -> int:
    """UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def truncate(text: str, limit: int) -> str:
    """At most `limit` units, ending in an ellipsis if something is missing. Escape after, not before."""
    return text if length(text) <= limit else head(text, limit - 1).rstrip() + ELLIPSIS


def beginning(text: str, limit: int) -> str:
    """At most `limit` units of the text with everything in it visible."""
    return truncate(visible(text[: limit + 1]), limit)


def short(text: str, limit: int) -> str:
    """At most `limit` units of the text in one line; never empty."""
    looked_at = text[: LOOK_AHEAD * limit]
    rest = "" if len(looked_at) == len(text) else f" {ELLIPSIS}"
    return truncate(one_line(looked_at) + rest, limit) or "-"


def one_line(text: str) -> str:
    """The text with everything in it visible, and each run of spaces and line ends as one space."""
    return " ".join(visible(text).split())


def pieces(text: str, limit: int, written: Callable[[str], str] = str) -> Iterator[str]:
    """The text in parts, each of at most `limit` units as `written`, none blank.

    Cut at line ends or spaces, where one is in the second half of a part.
    """
    at = 0
    while at < len(text):
        part = head(text[at : at + limit], limit, written) or text[at]
        if at + len(part) < len(text):
            cut = max(part.rfind("\n"), part.rfind(" ")) + 1
            part = part[:cut] if cut > len(part) // 2 else part
        if part.strip():
            yield part
        at += len(part)


def head(text: str, limit: int, written: Callable[[str], str] = str) -> str:
    """As much of the text's beginning as has at most `limit` units when it is written."""
    part = text[:limit]
    while (over := length(written(part)) - limit) > 0:
        part = part[: -max(1, over // MAX_CHARACTER_UNITS)]
    return part
