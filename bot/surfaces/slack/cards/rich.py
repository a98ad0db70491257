"""Lines of text in which ours and others' can't be mixed up, as Slack's rich text. Pure.

A line is made of parts: our own words, and what is not ours as an element of its own. Slack looks for no
markup in a rich text element, so whatever stands in it is shown as it is. The same line as mrkdwn (`mrkdwn`)
is for a message's `text`, which is read in notifications, and for small print, which takes nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.core.text import visible
from bot.surfaces.slack.cards.mrkdwn import ELLIPSIS, escape, pieces, truncate

Block = dict[str, Any]
Part = dict[str, Any]
Line = Sequence[str | Part]
"""Strings are our own words."""

PIECE = 3000
"""Units of one element; Slack names no limit for rich text, and this is the one of sections."""
SPACED = 8
"""Characters of a text that are looked at for each one that is shown: spaces are run together."""
ELEMENTS = 40
"""Elements of one block."""


def bold(words: str) -> Part:
    """Our own words, in bold."""
    return {"type": "text", "text": words, "style": {"bold": True}}


def code(words: str) -> Part:
    """Our own words that can be typed or looked up: a command, a run's id."""
    return {"type": "text", "text": words, "style": {"code": True}}


def theirs(text: str, limit: int) -> Part:
    """A name or a short text that is not ours, in one line; in a frame, so that it can't pass for ours."""
    return code(short(text, limit))


def title(text: str, limit: int = 200) -> Part:
    """The title of a crew, which whoever installed it has given: in bold, and literally."""
    return bold(short(text, limit))


def short(text: str, limit: int) -> str:
    """At most `limit` units of the text in one line; never empty."""
    looked_at = text[: SPACED * limit]
    rest = "" if len(looked_at) == len(text) else f" {ELLIPSIS}"
    return truncate(one_line(looked_at) + rest, limit) or "-"


def one_line(text: str) -> str:
    """The text with everything in it visible, and each run of spaces and line ends as one space."""
    return " ".join(visible(text).split())


def user(user_id: str) -> Part:
    """A person of Slack."""
    return {"type": "user", "user_id": user_id}


def channel(channel_id: str) -> Part:
    """A channel of Slack."""
    return {"type": "channel", "channel_id": channel_id}


def mention(principal: str) -> Part:
    """A principal as people see it: people of Slack are mentioned, others named."""
    surface, _, rest = principal.partition(":")
    name = rest.partition(":")[2]
    if surface == "slack" and re.fullmatch(r"[UWB][A-Z0-9]+", name):
        return user(name)
    named = f"the API key {name.removeprefix('key:')}" if surface == "http" else name
    return {"type": "text", "text": one_line(named) or "-"}


def date(at: int) -> Part:
    """A time (milliseconds) in the reader's own time zone, or in UTC where Slack can't."""
    fallback = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return {
        "type": "date",
        "timestamp": at // 1000,
        "format": "{date_short_pretty} {time}",
        "fallback": fallback,
    }


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────


def line(*parts: str | Part) -> Block:
    """A paragraph."""
    return block([{"type": "rich_text_section", "elements": elements(parts)}])


def elements(parts: Iterable[str | Part]) -> list[Part]:
    """The parts as Slack takes them: words are elements, too, and none is empty."""
    made = ({"type": "text", "text": part} if isinstance(part, str) else part for part in parts)
    return [part for part in made if part.get("text", "-")]


def block(contents: Sequence[Part]) -> Block:
    """A block of sections, quotations and frames."""
    return {"type": "rich_text", "elements": list(contents)}


def blocks(contents: Sequence[Part]) -> list[Block]:
    """Blocks of as many elements as one may have."""
    return [block(contents[at : at + ELEMENTS]) for at in range(0, len(contents), ELEMENTS)]


def quoted(text: str) -> list[Block]:
    """Somebody's words with a bar beside them, completely, and just as they are."""
    return [_whole("rich_text_quote", piece) for piece in literal(text)]


def framed(text: str) -> list[Block]:
    """A text in a frame, completely, and just as it is: its spaces and lines as well."""
    return [_whole("rich_text_preformatted", piece) for piece in literal(text)]


def literal(text: str) -> list[str]:
    """The text with everything in it visible, in parts of at most `PIECE` units."""
    return list(pieces(visible(text), PIECE)) or ["-"]


def _whole(kind: str, piece: str) -> Block:
    return block([{"type": kind, "elements": [{"type": "text", "text": piece}]}])


# ── the same as mrkdwn ──────────────────────────────────────────────────────────────────────────────────


def mrkdwn(*parts: str | Part) -> str:
    """The line as mrkdwn without styles, for a message's `text` and for small print."""
    return "".join(map(_as_mrkdwn, elements(parts)))


def mentioned(principal: str) -> str:
    """`mention` as mrkdwn."""
    return mrkdwn(mention(principal))


def dated(at: int) -> str:
    """`date` as mrkdwn."""
    return mrkdwn(date(at))


def _as_mrkdwn(part: Part) -> str:
    match part["type"]:
        case "user":
            return f"<@{part['user_id']}>"
        case "channel":
            return f"<#{part['channel_id']}>"
        case "link":
            return f"<{part['url']}|{escape(part['text'])}>"
        case "date":
            return f"<!date^{part['timestamp']}^{{date_short_pretty}} {{time}}|{part['fallback']}>"
        case _:
            return escape(part["text"])
