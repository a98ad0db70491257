"""Acknowledges every request in time, and tells the person what came of it.

A request is handled in a task of its own. If it is done within `ACK_TIMEOUT_S`, the acknowledgement carries
the reply; otherwise the request is saved and acknowledged first, and the person is told later. The platform
doesn't send again what was acknowledged: if this process dies, another one (or the next) handles the pending
request as if the platform had sent it again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import structlog

from bot.core.errors import CrewdeckError, StoreUnavailable
from bot.core.ports.store import KeyValueStore, Store
from bot.surfaces.chat.inbound.ports import (
    REPLAYED,
    SILENT,
    FormOpener,
    InboundRequest,
    PrivateMessenger,
    Reply,
    text_reply,
)
from bot.surfaces.chat.messages import Form
from bot.surfaces.chat.presence import Presence
from bot.surfaces.chat.wording import sentences
from bot.tasks import BackgroundTasks

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


ACK_TIMEOUT_S = 1.5
"""How long a request may take before it is acknowledged all the same. Platforms give up after 3 s.

Up to half a second each goes to the check for a replay before, and to saving the request after.
"""

UNSAVED = text_reply(sentences.NOT_SAVED)

Work = Coroutine[Any, Any, Reply]
Acknowledge = Callable[[Reply], Awaitable[Reply]]
"""Acknowledges a request, with a reply as far as that can carry it; returns what it could not carry."""


class AckHandler:
    """Runs the work of requests, and acknowledges them."""

    def __init__(
        self,
        surface: str,
        background: BackgroundTasks,
        messenger: PrivateMessenger,
        forms: FormOpener,
        key_values: KeyValueStore,
        pending: PendingRequests,
    ) -> None:
        self._surface = surface
        self._forms = forms
        self._background = background
        self._messenger = messenger
        self._key_values = key_values
        self._pending = pending

    async def handle_interaction(
        self,
        request: InboundRequest,
        work: Work,
        acknowledge: Acknowledge,
        ack_timeout_s: float = ACK_TIMEOUT_S,
    ) -> None:
        """Handle what a person did, acknowledge it, and tell them what came of it."""
        task, done = await self._run(request, work, ack_timeout_s)
        if done and not request.replayed:
            left = await acknowledge(task.result())
            if left != SILENT:
                self._background.start(self.follow_up(request, left), f"follow-up of {request.key}")
            return
        if not done:
            # The store may have it even if it did not say so in time: it is removed in any case.
            await self._pending.save_pending(request)
        await acknowledge(SILENT)
        self._finish_later(request, task, saved=not done)

    async def handle_event(
        self,
        request: InboundRequest,
        work: Work,
        acknowledge: Callable[[], Awaitable[object]],
        ack_timeout_s: float = ACK_TIMEOUT_S,
    ) -> bool:
        """Handle an event and acknowledge it; False, unacknowledged: the platform shall send it again."""
        task, done = await self._run(request, work, ack_timeout_s)
        saved = not done and await self._pending.save_pending(request)
        if task.result() == UNSAVED if done else not saved:
            return False
        await acknowledge()
        self._finish_later(request, task, saved=saved)
        return True

    async def follow_up(self, request: InboundRequest, reply: Reply) -> None:
        """Tell the person and do the rest, once for a request, and watch what it wants to be watched."""
        if replace(reply, watch=None) != SILENT and (reply == UNSAVED or await self._first(request)):
            await self._tell(request, reply)
        if reply.watch is not None:
            await reply.watch()

    async def _tell(self, request: InboundRequest, reply: Reply) -> None:
        if reply.say is not None:
            await self._messenger.tell(request.reply_to, reply.say)
        if reply.form is not None and not await self._show(request, reply.form):
            return
        if reply.then is not None:
            await reply.then()

    async def _show(self, request: InboundRequest, form: Form) -> bool:
        """Whether the form is shown: nobody has read what was not."""
        if request.form_id:
            return await self._forms.replace(request.form_id, form, request.reply_to)
        return await self._forms.open(request.form_handle, form, request.reply_to)

    async def _run(
        self, request: InboundRequest, work: Work, timeout_s: float = ACK_TIMEOUT_S
    ) -> tuple[asyncio.Task[Reply], bool]:
        task = self._background.start(reply_of(work), f"work of {request.key}")
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        return task, bool(done)

    def _finish_later(self, request: InboundRequest, task: asyncio.Task[Reply], *, saved: bool) -> None:
        finishing = self._finish(request, task, saved=saved or request.replayed)
        self._background.start(finishing, f"reply of {request.key}")

    async def _finish(self, request: InboundRequest, task: asyncio.Task[Reply], *, saved: bool) -> None:
        reply = await task
        if reply.fallback is not None and not request.form_id:
            reply = Reply(say=await reply.fallback(), then=reply.then, watch=reply.watch)
        elif reply.errors:
            reply = text_reply(" ".join(reply.errors.values()))
        await self.follow_up(request, reply)
        if saved:
            await self._pending.remove(request)

    async def _first(self, request: InboundRequest) -> bool:
        """While the store is away, telling somebody twice is better than not at all."""
        try:
            return await self._key_values.add(f"{self._surface}:told:{request.key}")
        except StoreUnavailable:
            log.warning("the store is away: a reply may be given twice", request=request.key)
            return True


async def reply_of(work: Work) -> Reply:
    """What the work results in; its failure, in words for the person."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - a person waits for an answer, whatever went wrong
        return _failure_reply(error)


def _failure_reply(error: BaseException) -> Reply:
    if isinstance(error, StoreUnavailable):
        log.warning("the store is away: somebody has to press again", exc_info=error)
        return UNSAVED
    if isinstance(error, CrewdeckError):
        return text_reply(str(error))
    log.error("a request could not be handled", exc_info=error)
    return text_reply(sentences.NOT_DONE)
