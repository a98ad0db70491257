"""Formatted and other text as elements of Adaptive Cards. Pure.

Others' texts are runs of a RichTextBlock, in which no Markdown has an effect. Mentions, times and links need
a TextBlock, whose subset of Markdown is escaped. What clients replace ({{DATE(...)}}, <at>) is taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape as html_escape
from typing import Any

from bot.core.text import visible
from bot.surfaces.chat.formatted_text import (
    Bold,
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
    flattened,
    platform_suffix,
    untrusted,
    utc,
)
from bot.surfaces.teams.conversations import is_channel

Json = dict[str, Any]
SimpleLine = tuple[SimplePart, ...]

TAB = "    "
APP = "@Crewdeck"
"""How people call the app in commands."""
SMALL: Json = {"isSubtle": True, "size": "Small"}
_STYLES: Mapping[str, Json] = {
    "framed": {"fontType": "Monospace"},
    "strong": {"fontType": "Monospace", "weight": "Bolder"},
    "bold": {"weight": "Bolder"},
    "plain": {},
}
_MARKUP = re.compile(r"([\\`*_\[\]~<&{])")
#: What would begin a list or a heading: a mark, or the end of a number.
_LIST_MARK = re.compile(r"(\s*\d*)([-+=#>.)])")
#: Spaces that clients would leave out: after another one, and at the beginning of a line.
_COLLAPSED = re.compile(r"(?<=[ \n]) ")
#: Between the characters that begin a function of the clients.
_FUNCTION = re.compile(r"(?<=\{)(?=\{(?:DATE|TIME)\()|(?<=<)(?=at>)")
_MENTIONABLE = re.compile(r"[^\W_][\w .,'\u2019()-]*")


@dataclass(frozen=True)
class Member:
    """Somebody whom a message names."""

    #: Their id in the message's conversation, by which they are mentioned; empty: they are not in it.
    id: str
    name: str


Members = Mapping[str, Member]
"""People by principal."""


# ── texts of others ─────────────────────────────────────────────────────────────────────────────────────


def literal(text: str, style: Json | None = None) -> list[Json]:
    """Runs that show the text as it is: each of several spaces and all line feeds, too."""
    shown = _COLLAPSED.sub("\u00a0", visible(text).replace("\t", TAB))
    return [{"type": "TextRun", "text": part, **(style or {})} for part in _FUNCTION.split(shown) if part]


def rich_text(runs: list[Json], **more: Any) -> Json:
    """A block of these runs; a dash for nothing, which Teams refuses."""
    return {"type": "RichTextBlock", "inlines": runs or literal("-"), **more}


# ── formatted text ──────────────────────────────────────────────────────────────────────────────────────


def paragraph(text: FormattedText, members: Members, style: Json | None = None) -> list[Json]:
    """The text as blocks, one for each line of our own words."""
    made = [_block(each, members, style or {}) for each in _split(text)]
    return [made[0], *({**block, "spacing": "None"} for block in made[1:])]


def _split(text: FormattedText) -> list[SimpleLine]:
    """The lines of a text: our own words have line feeds."""
    lines: list[SimpleLine] = [()]
    for part in flattened(text):
        first, *rest = part.split("\n") if isinstance(part, str) else [part]
        lines[-1] = (*lines[-1], first)
        lines += [(each,) for each in rest]
    return [tuple(part for part in each if part != "") for each in lines]


def _block(line: SimpleLine, members: Members, style: Json) -> Json:
    if any(isinstance(part, Time | Link) or _mentioned(part, members) for part in line):
        return {"type": "TextBlock", "text": markdown(line, members), "wrap": True, **style}
    return rich_text([run for part in line for run in _runs(part, members, style)])


def _runs(part: SimplePart, members: Members, style: Json) -> list[Json]:
    if isinstance(part, Untrusted):
        return literal(untrusted(part) + part.suffix, {**style, **_STYLES[part.style]})
    more: Json = {}
    if isinstance(part, Bold):
        more = {"weight": "Bolder"}
    if isinstance(part, Code | Command):
        more = {"fontType": "Monospace"}
    return literal(plain(part, members), {**style, **more})


def markdown(text: FormattedText, members: Members) -> str:
    """The text for a TextBlock."""
    return _one_line("".join(_markdown(part, members) for part in flattened(text)))


def _markdown(part: SimplePart, members: Members) -> str:
    match part:
        case Bold():
            return f"**{escape(part.words)}**"
        case Untrusted() if part.style != "plain" and "\n" not in (text := untrusted(part) + part.suffix):
            mark = "_" if part.style == "framed" else "**"
            return f"{mark}{escape(text.strip())}{mark}"
        case Time():
            at = datetime.fromtimestamp(part.at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return f"{{{{DATE({at}, SHORT)}}}} {{{{TIME({at})}}}}"
        case Link():
            return f"[{escape(part.words)}]({part.url})"
        case Mention() if member := _mentioned(part, members):
            return at_name(member)
        case _:
            return escape(plain(part, members))


def escape(text: str) -> str:
    """For the Markdown of a TextBlock: nothing in it has an effect, and line feeds are kept."""
    first, *others = _MARKUP.sub(r"\\\1", visible(text)).split("\n")
    return "\n\n".join([first, *map(_one_line, others)])


def _one_line(text: str) -> str:
    """A line that begins no list, no heading, no quotation and no code."""
    if mark := _LIST_MARK.match(text):
        text = f"{mark[1]}\\{text[mark.start(2) :]}"
    words = text.lstrip(" \t")
    return "\u00a0" * (len(text) - len(words)) + words


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────


def at_name(member: Member) -> str:
    """What stands for a mention in a text."""
    return f"<at>{member.name}</at>"


def entities(found: list[Member]) -> list[Json]:
    """What makes a mention of what stands for it."""
    return [
        {"type": "mention", "text": at_name(each), "mentioned": {"id": each.id, "name": each.name}}
        for each in dict.fromkeys(found)
    ]


def _mentioned(part: SimplePart, members: Members) -> Member | None:
    """Whom a part mentions. A name with markup in it is shown literally instead."""
    member = members.get(part.principal) if isinstance(part, Mention) else None
    return member if member and member.id and _MENTIONABLE.fullmatch(member.name) else None


def mentioned(text: FormattedText, members: Members) -> list[Member]:
    """Whom a text mentions."""
    return [member for part in flattened(text) if (member := _mentioned(part, members))]


# ── text alone ──────────────────────────────────────────────────────────────────────────────────────────


def plain(part: SimplePart, members: Members) -> str:  # noqa: PLR0911 - one for each kind
    """A part as plain text."""
    match part:
        case str():
            return visible(part)
        case Bold() | Code() | Link():
            return part.words
        case Command():
            return f"{APP} {part.words}"
        case Untrusted():
            return untrusted(part) + part.suffix
        case Mention():
            member = members.get(part.principal)
            return member.name if member else display_name(part) + platform_suffix("teams", part)
        case Time():
            return utc(part.at)
        case ChannelName():
            if known := members.get(part.id):
                return known.name
            return "a channel" if is_channel(part.id) else "a chat"


def plain_text(text: FormattedText, members: Members) -> str:
    """The text without formatting."""
    return "".join(plain(part, members) for part in flattened(text))


def xml(text: FormattedText, members: Members) -> str:
    """The text of a message without a card, in the format `xml`: everything in it is escaped."""
    shown = [
        at_name(member)
        if (member := _mentioned(part, members))
        else html_escape(plain(part, members), quote=False).replace("\n", "<br/>")
        for part in flattened(text)
    ]
    return "".join(shown)
