"""Deliveries that were acknowledged before their work was done: kept until it is.

Work that takes long waits for Slack's Web API: who somebody is has to be asked before what they did counts.
Slack sends nothing again that was acknowledged, so the delivery itself is in the store before that. Should
this process die over it, another one (or the next) takes it in once more, as if Slack had.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from slack_bolt.response import BoltResponse

from bot.core.errors import StoreUnavailable
from bot.core.ports import Store
from bot.surfaces.chat.inbound.reply import ReplyTarget
from bot.surfaces.chat.presence import Presence

log = structlog.get_logger(__name__)

SHELF = "slack:deliveries"
AGAIN = "crewdeck_again"
"""Added to a payload that is taken in once more. Slack's own have no such field."""
QUICK = 0.5
"""Seconds in which the store has to have a delivery, so that Slack hears in time."""
EVERY = 2.0
OK = 200
REFUSED = 400

Dispatch = Callable[[Mapping[str, Any]], Awaitable[BoltResponse]]


@dataclass(frozen=True)
class Delivery:
    """One delivery of Slack's: its name (the same however often it arrives), and the way to who acted."""

    key: str
    line: ReplyTarget
    #: As it came.
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def again(self) -> bool:
        """It was acknowledged long ago, and its work was not done."""
        return AGAIN in self.payload


class PendingRequests:
    """What was acknowledged and is not done."""

    def __init__(self, store: Store, presence: Presence) -> None:
        self._store = store
        self._presence = presence
        #: Taken in once more, by this process.
        self._taken: set[str] = set()

    async def keep(self, delivery: Delivery) -> bool:
        """Keep a delivery until it is `done`; False if the store can't now."""
        kept = json.dumps({"owner": self._presence.owner, "payload": dict(delivery.payload)})
        try:
            async with asyncio.timeout(QUICK):
                await self._store.memory.save_pending(SHELF, delivery.key, kept)
        except (StoreUnavailable, TimeoutError):
            log.warning("the store is away: a delivery under way can't be kept", delivery=delivery.key)
            return False
        return True

    async def done(self, delivery: Delivery) -> None:
        """Its work has ended, and the person knows what came of it. Raises StoreUnavailable."""
        await self._store.memory.remove_pending(SHELF, delivery.key)
        self._taken.discard(delivery.key)

    async def run(self, dispatch: Dispatch) -> None:
        """Take in what processes left behind that are gone, for ever."""
        while True:
            try:
                await self._take_over(dispatch)
            except StoreUnavailable:
                log.debug("the store is away: nothing is taken over")
            await asyncio.sleep(EVERY)

    async def _take_over(self, dispatch: Dispatch) -> None:
        kept = await self._store.memory.pending(SHELF)
        alive = await self._presence.owners() if kept else frozenset()
        for key, text in kept.items():
            if (kept_by := self._read(key, text)) is None:
                continue
            owner, payload = kept_by
            if owner not in alive and key not in self._taken:
                log.info("a delivery is worked on again: its process is gone", delivery=key)
                response = await dispatch({**payload, AGAIN: True})
                await self._took(key, response.status)

    def _read(self, key: str, text: str) -> tuple[str, Mapping[str, Any]] | None:
        """Whose a delivery is, and what it says; None: that can't be read, and is left to whoever can."""
        try:
            document = json.loads(text)
            return str(document["owner"]), dict(document["payload"])
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            self._store.health.report_unreadable("delivery", key, f"it is damaged ({type(error).__name__})")
            return None

    async def _took(self, key: str, status: int) -> None:
        if status == OK:
            self._taken.add(key)
        elif status == REFUSED:
            log.warning("a delivery is given up: this release can't read it", delivery=key)
            await self._store.memory.remove_pending(SHELF, key)
