"""Acknowledges every request in time, and tells the person what came of it.

A request is handled in a task of its own. If it is done within `ACK_TIMEOUT_S`, the acknowledgement carries
the reply; otherwise the request is saved and acknowledged first, and the person is told later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

import structlog

from bot.core.errors import CrewdeckError, StoreUnavailable
from bot.core.ports import KeyValueStore
from bot.surfaces.chat.inbound.interactions import SILENT, InboundRequest, Reply, said
from bot.surfaces.chat.inbound.pending_requests import PendingRequests
from bot.surfaces.chat.inbound.ports import FormOpener, PrivateMessenger
from bot.surfaces.chat.messages import Form
from bot.surfaces.chat.wording import sentences
from bot.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

ACK_TIMEOUT_S = 1.5
"""How long a request may take before it is acknowledged all the same. Platforms give up after 3 s.

Up to half a second each goes to the check for a replay before, and to saving the request after.
"""

UNSAVED = said(sentences.NOT_SAVED)

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
        if reply.form is not None:
            await self._show(request, reply.form)
        if reply.then is not None:
            await reply.then()

    async def _show(self, request: InboundRequest, form: Form) -> None:
        if request.form_id:
            await self._forms.replace(request.form_id, form, request.reply_to)
        else:
            await self._forms.open(request.form_handle, form, request.reply_to)

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
        if reply.instead is not None and not request.form_id:
            reply = Reply(say=await reply.instead(), then=reply.then, watch=reply.watch)
        elif reply.errors:
            reply = said(" ".join(reply.errors.values()))
        await self.follow_up(request, reply)
        if saved:
            await self._pending.remove(request)

    async def _first(self, request: InboundRequest) -> bool:
        """While the store is away, telling somebody twice is better than not at all."""
        try:
            return await self._key_values.once(f"{self._surface}:told:{request.key}")
        except StoreUnavailable:
            log.warning("the store is away: a reply may be given twice", request=request.key)
            return True


async def reply_of(work: Work) -> Reply:
    """What the work results in; its failure, in words for the person."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - a person waits for an answer, whatever went wrong
        return _apology(error)


def _apology(error: BaseException) -> Reply:
    if isinstance(error, StoreUnavailable):
        log.warning("the store is away: somebody has to press again", exc_info=error)
        return UNSAVED
    if isinstance(error, CrewdeckError):
        return said(str(error))
    log.error("a request could not be handled", exc_info=error)
    return said(sentences.NOT_DONE)
