"""JSON Lines on standard input and output, by which a process of a baseline talks to its benchmark."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any


def say(**words: Any) -> None:
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


async def requests() -> AsyncIterator[dict[str, Any]]:
    """What the benchmark asks for, until it is through."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield json.loads(line)
