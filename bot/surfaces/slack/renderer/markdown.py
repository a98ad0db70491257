"""Markdown that crews write, as Slack's rich text. Pure."""

from __future__ import annotations

from bot.surfaces.chat import markdown
from bot.surfaces.chat.markdown import CodeBlock, MarkdownBlock, StyledText, Table, TextBlock
from bot.surfaces.chat.shortening import pieces
from bot.surfaces.slack.renderer import rich_text
from bot.surfaces.slack.renderer.rich_text import PIECE_UNITS, Json, blocks


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


def _frame(text: str) -> list[Json]:
    return [
        {"type": "rich_text_preformatted", "elements": [rich_text.text(piece)]}
        for piece in pieces(text, PIECE_UNITS)
    ]


def _span(span: StyledText) -> Json:
    if span.url:
        return {"type": "link", "url": span.url, "text": span.text}
    return rich_text.text(span.text, *span.styles)
