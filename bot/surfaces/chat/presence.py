"""Which processes serve a surface. Each records a heartbeat in the store every second, by its role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Literal

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.store import Clock, KeyValueStore
from bot.tasks import run_alongside

log = structlog.get_logger(__name__)

HEARTBEAT_S = 1.0
TTL_S = 6.0
"""A process without a heartbeat for this long, by the store's clock, counts as gone."""
SIGN_OFF_TIMEOUT_S = 1.0
"""Seconds that signing off may take: the others notice without it as well."""


Role = Literal["web", "delivery"]
"""What a process does for a surface: receive (`web`), or deliver."""


async def count_present(surface: str, key_values: KeyValueStore, clock: Clock, role: Role) -> int:
    """How many processes of a role are up. Raises StoreUnavailable."""
    seen = _heartbeats(await key_values.get(f"{surface}:{role}") or "{}")
    now = await _seconds(clock)
    return sum(_is_recent(at, now) for at in seen.values())


class Presence:
    """This process among those of its role. A lost heartbeat is made up for by the next one."""

    def __init__(
        self, surface: str, key_values: KeyValueStore, clock: Clock, owner: str, role: Role = "web"
    ) -> None:
        self._name = f"{surface}:{role}"
        self._key_values = key_values
        self._clock = clock
        self.owner = owner
        #: How many processes are up, this one included.
        self.count = 1
        self._receives = False

    @asynccontextmanager
    async def announced(self) -> AsyncIterator[None]:
        """Send heartbeats while the block runs, and sign off at its end."""
        try:
            async with run_alongside(self._heartbeat()):
                yield
        finally:  # It mostly ends by being cancelled.
            await self._sign_off()

    async def _sign_off(self) -> None:
        try:
            async with asyncio.timeout(SIGN_OFF_TIMEOUT_S):
                await self._key_values.delete(self._receiving(self.owner))
                await self._write()
        except (StoreUnavailable, TimeoutError):
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
        """The processes that are up, this one included; killed ones for seconds. Raises StoreUnavailable."""
        return frozenset({self.owner, *await self._others()})

    async def _heartbeat(self) -> None:
        while True:
            try:
                await self._write(self.owner)
                if self._receives:
                    await self.mark_receiving()
            except StoreUnavailable:
                log.debug("the store is away: no heartbeat")
            await asyncio.sleep(HEARTBEAT_S)

    async def _write(self, *own: str) -> None:
        now = await _seconds(self._clock)
        present = await self._others(now) | dict.fromkeys(own, now)
        self.count = max(1, len(present))
        await self._key_values.set(self._name, json.dumps(present), TTL_S)

    async def _others(self, now: float | None = None) -> dict[str, float]:
        if now is None:
            now = await _seconds(self._clock)
        seen = _heartbeats(await self._key_values.get(self._name) or "{}")
        return {owner: at for owner, at in seen.items() if owner != self.owner and _is_recent(at, now)}

    def _receiving(self, owner: str) -> str:
        return f"{self._name}:hears:{owner}"


async def _seconds(clock: Clock) -> float:
    return await clock.now() / 1000


def _is_recent(at: float, now: float) -> bool:
    """One of the future is none: the store's clock was set, or it is another server's by now."""
    return abs(now - at) < TTL_S


def _heartbeats(stored: str) -> dict[str, float]:
    """The time of each process's heartbeat. What can't be read is written anew by those that are up."""
    try:
        return {str(owner): float(at) for owner, at in json.loads(stored).items()}
    except (ValueError, TypeError, AttributeError):
        log.warning("the heartbeats of processes can't be read; they are written anew")
        return {}
