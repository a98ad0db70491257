"""Replays: requests that Slack signed and somebody sends again. Slack itself signs each try anew."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import structlog

from bot.core.errors import Replayed, StoreUnavailable
from bot.core.ports.store import KeyValueStore, Runs
from bot.core.runs.nonce import Nonce
from bot.surfaces.chat.inbound.once import RECORD_TIMEOUT_S, Once

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SignedRequest:
    """A verified request, and how it is recorded that it has arrived."""

    #: Of this very request, which has an effect once.
    nonce: Nonce
    key_values: KeyValueStore
    runs: Runs

    def once(self) -> Once:
        """What records a request that starts no run."""
        return Once(partial(self.key_values.add, self.nonce.name, self.nonce.ttl_s))

    def once_with(self, run_id: str) -> Once:
        """What records a command that may start this run: together with it, or in its place."""
        return Once(partial(self.runs.use_nonce, run_id, self.nonce), self.nonce)

    async def first_time(self) -> bool:
        """Record the request, of anything but a command; False if it was recorded before."""
        try:
            await self.once().use()
        except Replayed:
            log_replay()
            return False
        return True

    async def take_back(self) -> None:
        """Allow it to be sent again with the same signature, since it was not handled."""
        try:
            async with asyncio.timeout(RECORD_TIMEOUT_S):
                await self.key_values.take_back(self.nonce.name)
        except (StoreUnavailable, TimeoutError):
            log.info("the store is away: a request is not taken with the same signature again")


def log_replay() -> None:
    """Somebody may have read what Slack sends, or a proxy may send requests twice."""
    log.warning("a request of Slack's was sent again with the same signature: nothing is done")
