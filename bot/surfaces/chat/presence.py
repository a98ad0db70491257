"""Which web processes are up: each shows itself in the store every second."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import Memory

log = structlog.get_logger(__name__)

BEAT = 1.0
GONE = 6.0
"""Seconds after which a process that showed nothing is taken for gone."""
_NAME = "slack:web"


class Presence:
    """This process among the web processes of this store. A lost beat heals with the next one."""

    def __init__(self, memory: Memory, owner: str) -> None:
        self._memory = memory
        self.owner = owner
        #: How many there are, this one included.
        self.count = 1
        self._hears = False

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Beat while the block runs, and take our leave at its end."""
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat())
            try:
                yield
            finally:
                beating.cancel()
        try:
            await self._memory.forget(_hearing(self.owner))
            await self._write({})
        except StoreUnavailable:
            log.info("the store is away: this process leaves without a word")

    async def others_alive(self) -> frozenset[str]:
        """The other web processes. Takes a few beats to tell a living one from one that was killed."""
        before = await self._others()
        if not before:
            return frozenset()
        await asyncio.sleep(2.5 * BEAT)
        after = await self._others()
        return frozenset(owner for owner, at in before.items() if after.get(owner, 0.0) > at)

    async def hear(self) -> None:
        """From now on nothing is missed as long as this process is up: others may rely on it."""
        self._hears = True
        await self._memory.remember(_hearing(self.owner), "1", GONE)

    async def any_hears(self, owners: Iterable[str]) -> bool:
        """Whether one of these has said that it hears."""
        return any([await self._memory.recall(_hearing(owner)) for owner in owners])

    async def owners(self) -> frozenset[str]:
        """Who is up, this process included; a killed one for some seconds yet. Raises StoreUnavailable."""
        return frozenset({self.owner, *await self._others()})

    async def _beat(self) -> None:
        while True:
            try:
                await self._write({self.owner: time.time()})
                if self._hears:
                    await self.hear()
            except StoreUnavailable:
                log.debug("the store is away: no beat")
            await asyncio.sleep(BEAT)

    async def _write(self, own: dict[str, float]) -> None:
        present = await self._others() | own
        self.count = max(1, len(present))
        await self._memory.remember(_NAME, json.dumps(present), GONE)

    async def _others(self) -> dict[str, float]:
        seen = _seen(await self._memory.recall(_NAME) or "{}")
        now = time.time()
        return {owner: at for owner, at in seen.items() if owner != self.owner and now - at < GONE}


def _hearing(owner: str) -> str:
    return f"{_NAME}:hears:{owner}"


def _seen(stored: str) -> dict[str, float]:
    """When each process said that it is up. What can't be read is written anew by those that are."""
    try:
        return {str(owner): float(at) for owner, at in json.loads(stored).items()}
    except (ValueError, TypeError, AttributeError):
        log.warning("what processes say of themselves can't be read; they say it again")
        return {}
