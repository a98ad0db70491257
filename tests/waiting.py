"""Waiting for what has to come: until it is there, however much else a machine has to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN = 90.0
"""Seconds for what takes a moment on a machine with nothing else to do. Only a test that fails takes them."""


async def eventually(look: Callable[[], Awaitable[T]], within: float = WITHIN) -> T:
    """Look until there is something to see."""
    async with asyncio.timeout(within):
        while not (seen := await look()):  # noqa: ASYNC110 - it is looked at, nothing tells
            await asyncio.sleep(0.01)
    return seen
