"""How many deliveries work at once: what merely waits for the platform's permission doesn't count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar


class _Slot:
    """One task's share of the limit."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._held = False

    async def take(self) -> None:
        await self._free.acquire()
        self._held = True

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._free.release()


_slot: ContextVar[_Slot | None] = ContextVar("slot", default=None)


class WorkLimit:
    """At most `most` tasks are within `slot` and not within `slot_released`."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot, and hold it during the block."""
        slot = _Slot(self._free)
        await slot.take()
        token = _slot.set(slot)
        try:
            yield
        finally:
            _slot.reset(token)
            slot.give_back()


@asynccontextmanager
async def slot_released() -> AsyncIterator[None]:
    """The block only waits, so another task has this one's slot. Without one, nothing happens."""
    slot = _slot.get()
    if slot is None:
        yield
        return
    slot.give_back()
    try:
        yield
    finally:
        await slot.take()
