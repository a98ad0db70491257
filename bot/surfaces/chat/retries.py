"""Bounded retries of what a chat platform puts off. Apart from `failures`, which pure wording imports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.surfaces.chat.failures import Later


async def with_retries(
    call: Callable[[], Awaitable[None]],
    attempts: int,
    max_delay_s: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call again after each Later, in the seconds that it names or `max_delay_s`. Raises the last one."""
    for _ in range(attempts - 1):
        try:
            return await call()
        except Later as later:
            await sleep(min(later.seconds, max_delay_s))
    return await call()
