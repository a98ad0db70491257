"""Which processes are up, by role: each one records a heartbeat in the store every second."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Literal

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import KeyValueStore

log = structlog.get_logger(__name__)

HEARTBEAT_S = 1.0
TTL_S = 6.0
"""A process without a heartbeat for this long counts as gone."""


Role = Literal["web", "delivery"]
"""What a process does for a surface: receive (`web`), or deliver."""


async def count_present(surface: str, key_values: KeyValueStore, role: Role) -> int:
    """How many processes of a role are up. Raises StoreUnavailable."""
    now = time.time()
    seen = _heartbeats(await key_values.get(f"{surface}:{role}") or "{}")
    return sum(now - at < TTL_S for at in seen.values())


class Presence:
    """This process among those of its role. A lost heartbeat is made up for by the next one."""

    def __init__(self, surface: str, key_values: KeyValueStore, owner: str, role: Role = "web") -> None:
        self._name = f"{surface}:{role}"
        self._key_values = key_values
        self.owner = owner
        #: How many processes are up, this one included.
        self.count = 1
        self._receives = False

    @asynccontextmanager
    async def announced(self) -> AsyncIterator[None]:
        """Send heartbeats while the block runs, and sign off at its end."""
        async with asyncio.TaskGroup() as group:
            heartbeat = group.create_task(self._heartbeat())
            try:
                yield
            finally:
                heartbeat.cancel()
        try:
            await self._key_values.delete(self._receiving(self.owner))
            await self._write({})
        except StoreUnavailable:
            log.info("the store is away: this process can't sign off")

    async def others_alive(self) -> frozenset[str]:
        """The other processes. Takes a few heartbeats to tell a living one from one that was killed."""
        before = await self._others()
        if not before:
            return frozenset()
        await asyncio.sleep(2.5 * HEARTBEAT_S)
        after = await self._others()
        return frozenset(owner for owner, at in before.items() if after.get(owner, 0.0) > at)

    async def mark_receiving(self) -> None:
        """From now on nothing is missed as long as this process is up: others may rely on it."""
        self._receives = True
        await self._key_values.set(self._receiving(self.owner), "1", TTL_S)

    async def any_receiving(self, owners: Iterable[str]) -> bool:
        """Whether one of these processes has marked itself as receiving."""
        return any([await self._key_values.get(self._receiving(owner)) for owner in owners])

    async def owners(self) -> frozenset[str]:
        """Who is up, this process included; a killed one for some more seconds. Raises StoreUnavailable."""
        return frozenset({self.owner, *await self._others()})

    async def _heartbeat(self) -> None:
        while True:
            try:
                await self._write({self.owner: time.time()})
                if self._receives:
                    await self.mark_receiving()
            except StoreUnavailable:
                log.debug("the store is away: no heartbeat")
            await asyncio.sleep(HEARTBEAT_S)

    async def _write(self, own: dict[str, float]) -> None:
        present = await self._others() | own
        self.count = max(1, len(present))
        await self._key_values.set(self._name, json.dumps(present), TTL_S)

    async def _others(self) -> dict[str, float]:
        seen = _heartbeats(await self._key_values.get(self._name) or "{}")
        now = time.time()
        return {owner: at for owner, at in seen.items() if owner != self.owner and now - at < TTL_S}

    def _receiving(self, owner: str) -> str:
        return f"{self._name}:hears:{owner}"


def _heartbeats(stored: str) -> dict[str, float]:
    """The time of each process's heartbeat. What can't be read is written anew by those that are up."""
    try:
        return {str(owner): float(at) for owner, at in json.loads(stored).items()}
    except (ValueError, TypeError, AttributeError):
        log.warning("the heartbeats of processes can't be read; they are written anew")
        return {}
