"""Formatted text, literal text and Markdown as Slack's rich text. Pure.

Slack looks for no markup in a rich text element, so whatever stands in it is shown as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.core.text import visible
from bot.surfaces.chat import markdown
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
    untrusted,
    utc,
)
from bot.surfaces.chat.markdown import CodeBlock, MarkdownBlock, StyledText, Table, TextBlock
from bot.surfaces.chat.messages import Span
from bot.surfaces.chat.shortening import pieces
from bot.surfaces.slack.renderer.mrkdwn import COMMAND, DATE_FORMAT, group_id, user_id

Json = dict[str, Any]

PIECE_UNITS = 3000
"""UTF-16 units of one element; Slack names no limit for rich text, and this is the one of sections."""
BLOCK_ELEMENTS = 40
_STYLES: dict[str, tuple[str, ...]] = {
    "framed": ("code",),
    "strong": ("bold", "code"),
    "bold": ("bold",),
    "plain": (),
}
_CHANGES: dict[str, tuple[str, ...]] = {"kept": (), "removed": ("strike",), "added": ("bold",)}


def paragraph(formatted: FormattedText) -> Json:
    """A paragraph; a dash for nothing, which Slack refuses."""
    elements = [made for made in _elements(formatted) if made.get("text", "-")]
    return block([{"type": "rich_text_section", "elements": elements or [text("-")]}])


def plain_words(formatted: FormattedText) -> str:
    """The text without formatting."""
    return "".join(made.get("text") or made.get("fallback") or "" for made in _elements(formatted))


def _elements(formatted: FormattedText) -> list[Json]:
    made: list[Json] = []
    for part in formatted:
        made += part.written("rich text", _elements) if isinstance(part, CachedText) else [_element(part)]
    return made


def _element(part: SimplePart) -> Json:  # noqa: PLR0911 - one for each kind
    match part:
        case str():
            return text(visible(part))
        case Bold():
            return text(part.words, "bold")
        case Code():
            return text(part.words, "code")
        case Command():
            return text(f"{COMMAND} {part.words}", "code")
        case Untrusted():
            return text(untrusted(part) + part.suffix, *_STYLES[part.style])
        case Mention():
            return _mention(part)
        case Time():
            when = {"timestamp": part.at // 1000, "format": DATE_FORMAT, "fallback": utc(part.at)}
            return {"type": "date", **when}
        case ChannelName():
            return {"type": "channel", "channel_id": part.id}
        case Link():
            return {"type": "link", "url": part.url, "text": part.words}


def _mention(part: Mention) -> Json:
    if user := user_id(part.principal):
        return {"type": "user", "user_id": user}
    if group := group_id(part.principal):
        return {"type": "usergroup", "usergroup_id": group}
    return text(display_name(part) + platform_suffix("slack", part))


def text(words: str, *styles: str) -> Json:
    """A text element."""
    element: Json = {"type": "text", "text": words}
    return element | ({"style": dict.fromkeys(sorted(styles), True)} if styles else {})


def block(contents: Sequence[Json]) -> Json:
    """A block of sections, quotations and frames."""
    return {"type": "rich_text", "elements": list(contents)}


def blocks(contents: Sequence[Json]) -> list[Json]:
    """Blocks of as many elements as one may have."""
    return [block(contents[at : at + BLOCK_ELEMENTS]) for at in range(0, len(contents), BLOCK_ELEMENTS)]


def quoted(words: str) -> list[Json]:
    """Somebody's words with a bar beside them, completely and literally."""
    return [_whole("rich_text_quote", piece) for piece in _literal(words)]


def framed(words: str) -> list[Json]:
    """A text in a frame, completely and literally, with its spaces and line ends."""
    return [_whole("rich_text_preformatted", piece) for piece in _literal(words)]


def difference(spans: Sequence[Span]) -> list[Json]:
    """What an edit changed, in a quotation: removed text is struck, added text is bold."""
    elements = [
        text(piece, *_CHANGES[span.change]) for span in spans for piece in _kept_whole(visible(span.text))
    ]
    return blocks([{"type": "rich_text_quote", "elements": elements or [text("-")]}])


def _kept_whole(words: str) -> list[str]:
    """The text in parts of at most `PIECE_UNITS`, blank ones included: a changed space is a change."""
    size = PIECE_UNITS // 2
    return [words[at : at + size] for at in range(0, len(words), size)]


def _literal(words: str) -> list[str]:
    """The text with everything in it visible, in parts of at most `PIECE_UNITS`."""
    return list(pieces(visible(words), PIECE_UNITS)) or ["-"]


def _whole(kind: str, piece: str) -> Json:
    return block([{"type": kind, "elements": [text(piece)]}])


def rendered(source: str) -> list[Json]:
    """The text as blocks; none if there is nothing in it to be seen."""
    return blocks([made for block in markdown.parsed(source) for made in _block(block)])


def _block(block: MarkdownBlock) -> list[Json]:
    match block:
        case TextBlock():
            return [{"type": "rich_text_section", "elements": [_span(each) for each in block.spans]}]
        case CodeBlock():
            return _frame(block.text)
        case Table():
            return _frame(block.source)


def _frame(source: str) -> list[Json]:
    return [
        {"type": "rich_text_preformatted", "elements": [text(piece)]} for piece in pieces(source, PIECE_UNITS)
    ]


def _span(span: StyledText) -> Json:
    if span.url:
        return {"type": "link", "url": span.url, "text": span.text}
    return text(span.text, *span.styles)
