"""Text from people and models in Slack's two markups, so that nothing in it takes effect. Pure.

`escape` is for mrkdwn, where only `& < >` are special. `neutral` is for markdown blocks, which Slack parses
as Markdown and then reads for its own `<...>` sequences: what could ping anybody, or name one address and
lead elsewhere, is taken apart there. Lengths are in UTF-16 units, which is what Slack's clients count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

ELLIPSIS = "…"
MOST_WRITTEN = 5
"""Units that one character takes at most: `&` becomes `&amp;`."""
BREAK = "\u2060"
"""A word joiner: invisible, and what it stands in is no longer Slack's syntax."""

_CONTROL = re.compile(r"<(?=[!@#])")
_SLACK_LINK = re.compile(r"<(?=[^<>|\n]*\|)")
_AT = re.compile(r"@(?=(?:channel|here|everyone|group)\b)", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\(\s*<?([^\s()<>]*)>?(?:\s+[^()\n]*)?\)")
_JOINTS = re.compile(r"\](?=\s*[(\[:])")
_ENTITY = re.compile(r"&(?=(?:lt|gt|amp|#\d+|#x[0-9a-f]+);?)", re.IGNORECASE)
_TAG = re.compile(r"<(?=/?a[\s>])", re.IGNORECASE)


def length(text: str) -> int:
    """UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def clean(text: str) -> str:
    """The text without what no JSON or Slack message can hold: NULs and halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")


def escape(text: str) -> str:
    """For mrkdwn: shown just as it is, without any effect. `@here` alone is none in a message of an app."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def neutral(markdown: str) -> str:
    """For a markdown block: Markdown stays, pings don't, and every link shows where it leads."""
    text = _LINK.sub(_shown_link, clean(markdown))
    text = _JOINTS.sub(f"]{BREAK}", text)
    text = _ENTITY.sub(f"&{BREAK}", text)
    for opening in (_CONTROL, _SLACK_LINK, _TAG):
        text = opening.sub(f"<{BREAK}", text)
    return _AT.sub(f"@{BREAK}", text)


def _shown_link(found: re.Match[str]) -> str:
    label, address = found[1].strip(), found[2]
    return address if label in {"", address} else f"{label} ({address})"


def truncate(text: str, limit: int) -> str:
    """At most `limit` units, ending in an ellipsis if something is missing. Escape after, not before."""
    return text if length(text) <= limit else _head(text, limit - 1).rstrip() + ELLIPSIS


def truncate_escaped(text: str, limit: int) -> str:
    """The text escaped for mrkdwn, so much of it that the result has at most `limit` units."""
    if length(escape(text)) <= limit:
        return escape(text)
    return escape(_head(text, limit - 1, escape)).rstrip() + ELLIPSIS


def pieces(text: str, limit: int, written: Callable[[str], str] = str) -> Iterator[str]:
    """The text in parts, each of at most `limit` units as `written`, none blank.

    Cut at line ends or spaces, where one is in the second half of a part.
    """
    while text.strip():
        head = _head(text, limit, written)
        if len(head) < len(text):
            cut = max(head.rfind("\n"), head.rfind(" ")) + 1
            head = head[:cut] if cut > len(head) // 2 else head
        if head.strip():
            yield head
        text = text[len(head) :]


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


def mention(principal: str) -> str:
    """A principal as people see it: people of Slack are mentioned, others named."""
    surface, _, rest = principal.partition(":")
    name = rest.partition(":")[2]
    if surface == "slack" and re.fullmatch(r"[UWB][A-Z0-9]+", name):
        return f"<@{name}>"
    return f"the API key {escape(name.removeprefix('key:'))}" if surface == "http" else escape(name)


def date(at: int) -> str:
    """A time (milliseconds) in the reader's own time zone, or in UTC where Slack can't."""
    fallback = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{at // 1000}^{{date_short_pretty}} {{time}}|{fallback}>"
