"""Runs as messages: the one that opens a thread and carries the progress, and the one with the result. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    """What chat.postMessage takes: `text` for notifications and where blocks can't be shown, and blocks."""

    text: str
    blocks: Sequence[dict[str, Any]] = ()
