"""The leases of an outbox's shards: each delivery process holds an equal share of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.outbox import Outbox
from bot.surfaces.chat.delivery.thread import ShardLeaseLost

log = structlog.get_logger(__name__)

LEASE_S = 8.0


class ShardLeases:
    """The shards of a surface's outbox that one process holds."""

    def __init__(self, outbox: Outbox, surface: str, owner: str, is_busy: Callable[[int], bool]) -> None:
        """`is_busy`: whether a run of this shard is being delivered here."""
        self._outbox = outbox
        self._surface = surface
        self._owner = owner
        self._is_busy = is_busy
        self._held: set[int] = set()
        #: By shard: until when its lease certainly holds, by our own clock.
        self._certain_until: dict[int, float] = {}
        #: Shards beyond our share: released as soon as none of their runs is being delivered.
        self._leaving: set[int] = set()

    @property
    def held(self) -> Collection[int]:
        """The shards whose pending runs this process delivers."""
        return self._held

    def check(self, run_id: str) -> None:
        """Raises ShardLeaseLost if another process may deliver the run by now: we may have been suspended.

        What we were about to show may be shown by then, or be older than what is.
        """
        if not self._is_certain(self._outbox.shard_of(run_id)):
            raise ShardLeaseLost

    def _is_certain(self, shard: int) -> bool:
        """Whether the lease of a shard certainly holds."""
        return time.monotonic() < self._certain_until.get(shard, 0.0)

    async def take_share(self, processes: int) -> set[int]:
        """Keep or take as many shards as each process has, and release more.

        Returns those that are newly held, or that another process may have held since their lease ran out.
        """
        before = set(filter(self._is_certain, self._held))
        share = math.ceil(self._outbox.shards / processes)
        for shard in range(self._outbox.shards):
            if shard in self._held or (shard not in self._leaving and len(self._held) < share):
                await self._lease(shard)
        surplus = sorted(self._held)[share:]
        self._held.difference_update(surplus)
        self._leaving.update(surplus)
        for shard in sorted(self._leaving):
            await self._leave(shard)
        return self._held - before

    async def _lease(self, shard: int) -> None:
        try:
            mine = await self._renew(shard, relay=True)
        except StoreUnavailable:
            mine = False
        (self._held.add if mine else self._held.discard)(shard)

    async def _renew(self, shard: int, *, relay: bool = False) -> bool:
        began = time.monotonic()
        mine = await self._outbox.lease_shard(self._surface, shard, self._owner, LEASE_S, relay=relay)
        if mine:
            self._certain_until[shard] = began + LEASE_S
        return mine

    async def _leave(self, shard: int) -> None:
        """Release a shard once none of its runs is being delivered."""
        try:
            if self._is_busy(shard):
                await self._renew(shard)
            else:
                await self._outbox.release_shard(self._surface, shard, self._owner)
                self._leaving.discard(shard)
        except StoreUnavailable:
            self._leaving.discard(shard)

    def suspect(self) -> None:
        """Hold nothing until the next `take_share` says which shards are ours."""
        self._held.clear()

    def end(self) -> set[int]:
        """Deliveries under way begin no further call (`check`); returns what is then to be released."""
        self._certain_until.clear()
        return self._held | self._leaving

    async def release(self, shards: Collection[int]) -> None:
        """Release these shards, so that other processes go on at once."""
        try:
            for shard in shards:
                await self._outbox.release_shard(self._surface, shard, self._owner)
        except StoreUnavailable:
            log.info("the store is away: the leases end by themselves")
