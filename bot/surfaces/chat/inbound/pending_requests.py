"""Requests that were acknowledged before they were handled: saved until they are.

Handling may have to wait for the platform's API: who somebody is has to be known before what they did counts.
The platform doesn't send again what was acknowledged, so the store has the request first. If this process
dies, another one (or the next) handles the request as if the platform had sent it again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import Store
from bot.surfaces.chat.inbound.interactions import REPLAYED, InboundRequest
from bot.surfaces.chat.presence import Presence

log = structlog.get_logger(__name__)

SAVE_TIMEOUT_S = 0.5
"""The store has to have saved a request within this time, so that the platform is acknowledged in time."""
POLL_INTERVAL_S = 2.0
HTTP_OK = 200
HTTP_BAD_REQUEST = 400

Dispatch = Callable[[Mapping[str, Any]], Awaitable[int]]
"""Handles a payload as if it had just arrived; the HTTP status of its acknowledgement."""


class PendingRequests:
    """What was acknowledged and is not handled yet."""

    def __init__(self, surface: str, store: Store, presence: Presence) -> None:
        self._shelf = f"{surface}:deliveries"
        self._store = store
        self._presence = presence
        #: Keys of those that this process handles again.
        self._replayed: set[str] = set()

    async def save_pending(self, request: InboundRequest) -> bool:
        """Save a request until it is removed; False if the store can't now."""
        saved = json.dumps({"owner": self._presence.owner, "payload": dict(request.payload)})
        try:
            async with asyncio.timeout(SAVE_TIMEOUT_S):
                await self._store.key_values.save_pending(self._shelf, request.key, saved)
        except (StoreUnavailable, TimeoutError):
            log.warning("the store is away: a pending request can't be saved", request=request.key)
            return False
        return True

    async def remove(self, request: InboundRequest) -> None:
        """The request was handled, and the person knows what came of it. Raises StoreUnavailable."""
        await self._store.key_values.remove_pending(self._shelf, request.key)
        self._replayed.discard(request.key)

    async def run(self, dispatch: Dispatch) -> None:
        """Handle what processes left pending that are gone, until cancelled."""
        while True:
            try:
                await self._take_over(dispatch)
            except StoreUnavailable:
                log.debug("the store is away: no pending request is taken over")
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _take_over(self, dispatch: Dispatch) -> None:
        pending = await self._store.key_values.pending(self._shelf)
        alive = await self._presence.owners() if pending else frozenset()
        for key, text in pending.items():
            if (saved := self._read(key, text)) is None:
                continue
            owner, payload = saved
            if owner not in alive and key not in self._replayed:
                log.info("a pending request is handled again: its process is gone", request=key)
                await self._dispatched(key, await dispatch({**payload, REPLAYED: True}))

    def _read(self, key: str, text: str) -> tuple[str, Mapping[str, Any]] | None:
        """A request's owner and payload; None if it can't be read: it is left to a release that can."""
        try:
            document = json.loads(text)
            return str(document["owner"]), dict(document["payload"])
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            self._store.health.report_unreadable("delivery", key, f"it is damaged ({type(error).__name__})")
            return None

    async def _dispatched(self, key: str, status: int) -> None:
        if status == HTTP_OK:
            self._replayed.add(key)
        elif status == HTTP_BAD_REQUEST:
            log.warning("a pending request is given up: this release can't read it", request=key)
            await self._store.key_values.remove_pending(self._shelf, key)
