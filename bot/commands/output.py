"""Output of the commands: sentences, fields and tables, with terminal control characters made visible."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.core.text import terminal_safe

FIELD_WIDTH = 11
"""Columns for a name and its colon."""


def print_text(text: str) -> None:
    """Print text on standard output. It may have several lines."""
    sys.stdout.write(f"{terminal_safe(text)}\n")


def print_to_stderr(text: str) -> None:
    """Print text on standard error."""
    sys.stderr.write(f"{terminal_safe(text)}\n")


def print_field(name: str, value: str) -> None:
    """Print a name and its value, with further lines indented, so that they can't imitate a field."""
    indent = " " * FIELD_WIDTH
    print_text(f"{name + ':':<{FIELD_WIDTH}}" + terminal_safe(value).replace("\n", f"\n{indent}"))


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of equal length in aligned columns; the first row is the header."""
    cells = [[terminal_safe(word, one_line=True) for word in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(rows[0]) - 1)]
    for row in cells:
        padded = [f"{word:<{width}}" for word, width in zip(row[:-1], widths, strict=True)]
        sys.stdout.write("  ".join([*padded, row[-1]]).rstrip() + "\n")


def format_time(at: int) -> str:
    """Format a time of the store, to the minute."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def format_count(number: int, what: str) -> str:
    """Format a count: `1 event`, `2 events`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
