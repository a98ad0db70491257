"""Lists on standard output, as the commands for operators print them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Rows of the same length, in columns; the first one says what they are."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        padded = [f"{word:<{width}}" for word, width in zip(row[:-1], widths, strict=True)]
        sys.stdout.write("  ".join([*padded, row[-1]]).rstrip() + "\n")


def when(at: int) -> str:
    """A time of the store, to the minute."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def many(number: int, what: str) -> str:
    """`1 event`, `2 events`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
