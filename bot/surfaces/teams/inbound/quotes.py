"""Which messages a message quotes. Pure.

Teams says it in three ways: an entity `quotedReply` with a tag in the text that stands for it (since 2026), a
block quote in the HTML that comes beside the text, and in Microsoft Graph an attachment of its own kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

HTML = "text/html"
REFERENCE = "messageReference"
"""The kind of attachment by which Graph says that a message is quoted."""
UNKNOWN = ""
"""Stands for a message of which it isn't said which one it is."""

_BLOCK = re.compile(r"<blockquote\b([^<>]*)>", re.IGNORECASE)
_REPLY = re.compile(r"\bitemtype\s*=\s*[\"']https?://schema\.skype\.com/Reply[\"']", re.IGNORECASE)
_ITEM = re.compile(r"\bitemid\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
_TAG = re.compile(r"<quoted\b[^<>]*>(?:\s*</quoted>)?", re.IGNORECASE)


def quoted_in(html: str) -> Iterator[str]:
    """The ids of messages that are quoted in this HTML; UNKNOWN for one without an id."""
    for block in _BLOCK.finditer(html):
        if _REPLY.search(block[1]):
            item = _ITEM.search(block[1])
            yield item[1] if item else UNKNOWN


def without_quotes(text: str) -> str:
    """The text without the tags that stand for quoted messages."""
    return _TAG.sub("", text).strip()
