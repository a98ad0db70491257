"""Looking into a store that may just have been killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.core.errors import StoreUnavailable

T = TypeVar("T")


async def patiently(read: Callable[[], Awaitable[T]]) -> T:
    """What is in the store, also while Redis is being killed."""
    while True:
        try:
            return await read()
        except StoreUnavailable:
            await asyncio.sleep(0.1)
