"""Markdown that crews write, as elements of Adaptive Cards. Pure."""

from __future__ import annotations

from typing import Any

from bot.surfaces.chat import markdown
from bot.surfaces.chat.markdown import (
    CodeBlock,
    MarkdownBlock,
    Style,
    StyledText,
    StyledTexts,
    Table,
    TextBlock,
)
from bot.surfaces.teams.renderer.text import literal, rich_text

Json = dict[str, Any]

TABLE_COLUMNS = 10
TABLE_CELLS = 200
"""A table with more of them is shown as its source: each cell takes much of a message's limit."""
_STYLES: dict[Style, Json] = {
    "bold": {"weight": "Bolder"},
    "italic": {"italic": True},
    "strike": {"strikethrough": True},
    "code": {"fontType": "Monospace"},
}


def rendered(source: str) -> list[Json]:
    """The text as elements; none if there is nothing in it to be seen."""
    return [_element(block) for block in markdown.parsed(source)]


def _element(block: MarkdownBlock) -> Json:
    match block:
        case TextBlock():
            return rich_text(_runs(block.spans))
        case CodeBlock():
            return framed(block.text)
        case Table():
            columns = max(map(len, block.rows), default=0)
            fits = 0 < columns <= TABLE_COLUMNS and columns * len(block.rows) <= TABLE_CELLS
            return _table(block, columns) if fits else framed(block.source)


def framed(text: str) -> Json:
    """A text in a frame, as it is."""
    return {
        "type": "Container",
        "style": "emphasis",
        "items": [rich_text(literal(text, {"fontType": "Monospace"}))],
    }


def _runs(spans: StyledTexts) -> list[Json]:
    return [run for span in spans for run in _span(span)]


def _span(span: StyledText) -> list[Json]:
    style: Json = {}
    for each in sorted(span.styles):
        style |= _STYLES[each]
    if span.url:
        style["selectAction"] = {"type": "Action.OpenUrl", "url": span.url}
    return literal(span.text, style)


def _table(table: Table, columns: int) -> Json:
    return {
        "type": "Table",
        "firstRowAsHeader": True,
        "columns": [{"width": 1}] * columns,
        "rows": [{"type": "TableRow", "cells": [_cell(each) for each in row]} for row in table.rows],
    }


def _cell(spans: StyledTexts) -> Json:
    return {
        "type": "TableCell",
        "items": [rich_text(_runs(spans)) if spans else rich_text(literal("\u00a0"))],
    }
