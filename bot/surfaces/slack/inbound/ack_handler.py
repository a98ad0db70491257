"""Between Bolt and the work: every delivery is acknowledged in time, and the person is told what came of it.

The work of a listener is a task of our own. What it has to say goes into the acknowledgement if it is ready
within `PROMPT`; else Slack is acknowledged first, and the person is told later. No listener waits for longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Protocol

import structlog
from pydantic import ValidationError
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from bot.core.errors import CrewdeckError, StoreUnavailable
from bot.core.ports import Memory
from bot.surfaces.chat.background import BackgroundTasks
from bot.surfaces.chat.inbound.pending_requests import Delivery, PendingRequests
from bot.surfaces.chat.inbound.reply import SILENT, Reply, said
from bot.surfaces.slack.inbound.notices import Notices

log = structlog.get_logger(__name__)

PROMPT = 1.5
"""Seconds that a delivery may take before it is acknowledged all the same.

Slack gives up after 3. Up to half a second each goes to the check for a replay before, and to keeping the
delivery after.
"""

NOT_SAVED = "I can't save that right now, please press again."
UNSAVED = said(NOT_SAVED)
NOT_DONE = "Something went wrong on my side, and nothing was changed. Please try again."

Work = Coroutine[Any, Any, Reply]
Listener = Callable[[AsyncAck, dict[str, Any]], Awaitable[BoltResponse | None]]


class Acknowledge(Protocol):
    """How a kind of delivery carries a reply in its acknowledgement; returns what it could not carry."""

    async def __call__(self, ack: AsyncAck, reply: Reply) -> Reply: ...


class AckHandler:
    """Takes deliveries in."""

    def __init__(
        self, background: BackgroundTasks, notices: Notices, memory: Memory, unfinished: PendingRequests
    ) -> None:
        self._unfinished = unfinished
        self.background = background
        self.notices = notices
        self._memory = memory

    async def take(self, delivery: Delivery, work: Work, ack: AsyncAck, carry: Acknowledge) -> None:
        """Do the work of something a person did, acknowledge it, and tell them what came of it."""
        doing, done = await self._done_soon(delivery, work)
        if done and not delivery.again:
            left = await carry(ack, doing.result())
            if left != SILENT:
                self.background.start(self.follow_up(delivery, left), f"follow-up of {delivery.key}")
            return
        if not done:
            # It may be kept even if that wasn't heard in time, so it is `done` in any case.
            await self._unfinished.keep(delivery)
        await ack()
        self._later(delivery, doing, kept=not done)

    async def hear(
        self, delivery: Delivery, work: Work, ack: AsyncAck, within: float = PROMPT
    ) -> BoltResponse | None:
        """Do the work of an event; what takes longer than `within` seconds is kept, and acknowledged before.

        Slack delivers events again: what the store can't take now comes back.
        """
        doing, done = await self._done_soon(delivery, work, within)
        kept = not done and await self._unfinished.keep(delivery)
        if doing.result() == UNSAVED if done else not kept:
            return BoltResponse(status=503, body="")
        await ack()
        self._later(delivery, doing, kept=kept)
        return None

    async def _done_soon(
        self, delivery: Delivery, work: Work, within: float = PROMPT
    ) -> tuple[asyncio.Task[Reply], bool]:
        doing = self.background.start(told(work), f"work of {delivery.key}")
        done, _ = await asyncio.wait({doing}, timeout=within)
        return doing, bool(done)

    def _later(self, delivery: Delivery, doing: asyncio.Task[Reply], *, kept: bool) -> None:
        late = self._afterwards(delivery, doing, kept=kept or delivery.again)
        self.background.start(late, f"reply of {delivery.key}")

    async def _afterwards(self, delivery: Delivery, doing: asyncio.Task[Reply], *, kept: bool) -> None:
        reply = await doing
        if reply.errors:
            reply = said(" ".join(reply.errors.values()))
        await self.follow_up(delivery, reply)
        if kept:
            await self._unfinished.done(delivery)

    async def follow_up(self, delivery: Delivery, reply: Reply) -> None:
        """Tell and do the rest, once for a delivery."""
        if reply == SILENT:
            return
        if reply != UNSAVED and not await self._first(delivery):
            return
        if reply.say is not None:
            await self.notices.tell(delivery.line, reply.say)
        if reply.then is not None:
            await reply.then()

    async def _first(self, delivery: Delivery) -> bool:
        """While the store is away a person rather hears something twice than not at all."""
        try:
            return await self._memory.once(f"slack:told:{delivery.key}")
        except StoreUnavailable:
            log.warning("the store is away: a reply may be given twice", delivery=delivery.key)
            return True


async def told(work: Work) -> Reply:
    """What the work came to; its failure, in words for the person."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - a person waits for an answer, whatever went wrong
        return _excuse(error)


def _excuse(error: BaseException) -> Reply:
    if isinstance(error, StoreUnavailable):
        log.warning("the store is away: somebody has to press again", exc_info=error)
        return UNSAVED
    if isinstance(error, CrewdeckError):
        return said(str(error))
    log.error("a delivery could not be worked on", exc_info=error)
    return said(NOT_DONE)


async def in_the_answer(ack: AsyncAck, reply: Reply) -> Reply:
    """A slash command's acknowledgement shows its text to the person."""
    if reply.say is None:
        await ack()
    else:
        await ack(text=reply.say.text, blocks=reply.say.blocks or None, response_type="ephemeral")
    return Reply(then=reply.then)


async def empty(ack: AsyncAck, reply: Reply) -> Reply:
    """A press is acknowledged with nothing."""
    await ack()
    return reply


async def in_the_modal(ack: AsyncAck, reply: Reply) -> Reply:
    """A modal stays open with what is wrong in it, or closes."""
    if reply.errors:
        await ack(response_action="errors", errors=dict(reply.errors))
        return SILENT
    await ack()
    return reply


def shaped(listener: Listener) -> Listener:
    """Turn a signed payload away that lacks what every one of its kind has."""

    @wraps(listener)
    async def checked(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        try:
            return await listener(ack, body)
        except ValidationError as error:
            log.warning("a payload has not Slack's shape", problems=error.error_count())
            return BoltResponse(status=400, body="not something that Slack sends")

    return checked
