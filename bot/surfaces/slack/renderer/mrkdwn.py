"""Formatted text as Slack's mrkdwn, and people and times as Slack names them. Pure.

In mrkdwn `& < >` are special, and `* _ ~ `` ` are marks that nothing can escape: what people decide on, and
what must be read literally, is rich text (`rich_text`). mrkdwn is for a message's `text`, which is read in
notifications, and for small print, which takes nothing else.
"""

from __future__ import annotations

import re
from functools import partial

from bot.core.text import visible
from bot.surfaces.chat.formatted_text import (
    Bold,
    CachedText,
    ChannelName,
    Code,
    Command,
    FormattedText,
    Link,
    Mention,
    SimplePart,
    Time,
    Untrusted,
    display_name,
    platform_suffix,
    utc,
)
from bot.surfaces.chat.shortening import ELLIPSIS, head, length, short

COMMAND = "/crew"
DATE_FORMAT = "{date_short_pretty} {time}"
_USER_ID = re.compile("[UWB][A-Z0-9]+")
_GROUP_ID = re.compile("S[A-Z0-9]+")
_MARKS = re.compile("[*_~`]")


def mrkdwn(text: FormattedText, *, styled: bool) -> str:
    """The text, with or without the styles of our own words. Nobody else's words have a style."""
    again = partial(mrkdwn, styled=styled)
    return "".join(
        part.written(f"mrkdwn {styled}", again)
        if isinstance(part, CachedText)
        else _part(part, styled=styled)
        for part in text
    )


def _part(part: SimplePart, *, styled: bool) -> str:  # noqa: PLR0911 - one for each kind
    match part:
        case str():
            return escape(part)
        case Bold():
            return f"*{escape(part.words)}*" if styled else escape(part.words)
        case Code():
            return f"`{escape(part.words)}`" if styled else escape(part.words)
        case Command():
            return _part(Code(f"{COMMAND} {part.words}"), styled=styled)
        case Untrusted():
            return _untrusted(part) + part.suffix
        case Mention():
            return _mention(part)
        case Time():
            return f"<!date^{part.at // 1000}^{DATE_FORMAT}|{utc(part.at)}>"
        case ChannelName():
            return f"<#{part.id}>"
        case Link():
            return f"<{part.url}|{escape(part.words)}>"


def _mention(part: Mention) -> str:
    if user := user_id(part.principal):
        return f"<@{user}>"
    group = group_id(part.principal)
    return (
        f"<!subteam^{group}>" if group else f"{_literal(display_name(part))}{platform_suffix('slack', part)}"
    )


def _untrusted(part: Untrusted) -> str:
    if part.limit is None:
        return escape(part.text)
    return truncate_escaped(part.text, part.limit) if part.lines else escape(short(part.text, part.limit))


def _literal(words: str) -> str:
    """Somebody's words with marks in them are code, in which only a backtick would mean something."""
    literal = escape(words.replace("`", "'"))
    return f"`{literal}`" if _MARKS.search(words) else literal


def escape(text: str) -> str:
    """For mrkdwn: nothing in it pings or links, and everything is visible. `@here` alone has no effect."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def truncate_escaped(text: str, limit: int) -> str:
    """The text escaped for mrkdwn, so much of it that the result has at most `limit` units."""
    written = escape(text[: limit + 1])
    if len(text) <= limit and length(written) <= limit:
        return written
    return escape(head(visible(text[: limit + 1]), limit - 1, escape)).rstrip() + ELLIPSIS


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────


def user_id(principal: str) -> str:
    """The id of a person of Slack; empty for everybody else."""
    surface, _, rest = principal.partition(":")
    user = rest.partition(":")[2]
    return user if surface == "slack" and _USER_ID.fullmatch(user) else ""


def group_id(principal: str) -> str:
    """The id of a user group of Slack; empty for everything else, also for a group named by its handle."""
    surface, _, rest = principal.partition(":")
    group = rest.partition(":")[2]
    return group if surface == "slack" and _GROUP_ID.fullmatch(group) else ""
