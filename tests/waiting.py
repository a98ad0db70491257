"""Waiting for what has to come: until it is there, however much else a machine has to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")

WITHIN = 200.0
"""Seconds for what takes a moment on a machine with nothing else to do. Only a test that fails takes them."""


LONGEST_PAUSE = 0.05


def pauses() -> Iterator[float]:
    """Seconds until each next look: what takes long is looked at less, as each look takes processor time.

    All the tests beside it, and what is waited for, need that time too.
    """
    pause = 0.01
    while True:
        yield pause
        pause = min(pause * 1.1, LONGEST_PAUSE)


async def next_millisecond() -> None:
    """Return in a later one: whoever reads before they write takes longer.

    The store keeps whole milliseconds, and takes a reply of the one in which a question ended for one that
    may have been written before.
    """
    await asyncio.sleep(0.002)


async def eventually(look: Callable[[], Awaitable[T]], within: float = WITHIN) -> T:
    """Look until there is something to see."""
    async with asyncio.timeout(within):
        for pause in pauses():
            if seen := await look():
                return seen
            await asyncio.sleep(pause)
    raise AssertionError


async def until(there: Callable[[], object]) -> None:
    """Return once it is so; raises TimeoutError."""

    async def look() -> object:
        return there()

    await eventually(look)


@asynccontextmanager
async def alongside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run this during the block, and cancel it at its end. What failed by then is raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
