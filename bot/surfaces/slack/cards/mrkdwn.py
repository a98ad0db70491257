"""Text from people and models in Slack's mrkdwn, and its lengths and parts. Pure.

In mrkdwn `& < >` are special, and `* _ ~ `` ` are marks that nothing can undo: what people decide on, and
what must be read literally, is rich text (`rich`). Lengths are in UTF-16 units, as Slack's clients count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.core.text import visible

ELLIPSIS = "…"
MOST_WRITTEN = 10
"""Units that one character takes at most when it is written: `[U+10FFFF]`."""


def length(text: str) -> int:
    """UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def escape(text: str) -> str:
    """For mrkdwn: nothing in it pings or links, and everything is visible. `@here` alone has no effect."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def truncate(text: str, limit: int) -> str:
    """At most `limit` units, ending in an ellipsis if something is missing. Escape after, not before."""
    return text if length(text) <= limit else _head(text, limit - 1).rstrip() + ELLIPSIS


def truncate_escaped(text: str, limit: int) -> str:
    """The text escaped for mrkdwn, so much of it that the result has at most `limit` units."""
    written = escape(text[: limit + 1])
    if len(text) <= limit and length(written) <= limit:
        return written
    return escape(_head(visible(text[: limit + 1]), limit - 1, escape)).rstrip() + ELLIPSIS


def pieces(text: str, limit: int, written: Callable[[str], str] = str) -> Iterator[str]:
    """The text in parts, each of at most `limit` units as `written`, none blank.

    Cut at line ends or spaces, where one is in the second half of a part.
    """
    at = 0
    while at < len(text):
        head = _head(text[at : at + limit], limit, written) or text[at]
        if at + len(head) < len(text):
            cut = max(head.rfind("\n"), head.rfind(" ")) + 1
            head = head[:cut] if cut > len(head) // 2 else head
        if head.strip():
            yield head
        at += len(head)


def _head(text: str, limit: int, written: Callable[[str], str] = str) -> str:
    """As much of the text's beginning as has at most `limit` units when it is written."""
    head = text[:limit]
    while (over := length(written(head)) - limit) > 0:
        head = head[: -max(1, over // MOST_WRITTEN)]
    return head


def quote(text: str, limit: int) -> str:
    """Somebody's words as a quotation in mrkdwn."""
    whole = text.strip()
    if length(_quoted(whole)) <= limit:
        return _quoted(whole)
    return _quoted(_head(whole, limit - 1, _quoted)) + ELLIPSIS


def _quoted(text: str) -> str:
    return "\n".join(f">{line}" for line in escape(text).split("\n"))
