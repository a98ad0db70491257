"""Requests that somebody who has read them may send again: each has its effect once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.core.errors import Replayed, StoreUnavailable
from bot.core.runs.nonce import Nonce

RECORD_TIMEOUT_S = 0.5
"""How long the store may take to say whether a request was sent before."""

Record = Callable[[], Awaitable[bool]]
"""Records a request; False if it was recorded before. Raises StoreUnavailable."""


class Once:
    """One request on its way. It is recorded before it has an effect, or together with that."""

    def __init__(self, record: Record, nonce: Nonce | None = None) -> None:
        """Describe the request; `nonce` is that by which `Runs.start` records it as well."""
        self._record: Record | None = record
        self._nonce = nonce

    async def use(self) -> None:
        """Record the request, unless that was done. Raises Replayed.

        While the store is away it counts as the first: then the request fails, and the person is told so.
        """
        if self._record is None or await self._first_time(self._record):
            self.used()
        else:
            raise Replayed

    async def _first_time(self, record: Record) -> bool:
        try:
            async with asyncio.timeout(RECORD_TIMEOUT_S):
                return await record()
        except (StoreUnavailable, TimeoutError):
            return True

    @property
    def nonce(self) -> Nonce | None:
        """For whoever records the request with what they do; None if it is recorded already."""
        return None if self._record is None else self._nonce

    def used(self) -> None:
        """It is recorded, or can't be now."""
        self._record = None
