"""Orphaned messages: posted by a process that died before recording them.

The platform tells us of our own messages, and of presses on them. One with buttons that is not recorded a
moment later is adopted: recorded under a name of its own, and reconciled by whoever delivers its run, so that
it offers nothing in the end that can't be done any more.
"""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from bot.core.errors import NotFound, StoreUnavailable
from bot.core.ports.outbox import is_redrawn, redrawn_message
from bot.core.ports.store import Store
from bot.surfaces.chat.delivery.question_sender import QuestionMessageBuilder
from bot.surfaces.chat.delivery.thread import Links, RunThread
from bot.surfaces.chat.failures import Rejected, RetryLater, Unrenderable
from bot.surfaces.chat.flow_control import with_retries
from bot.surfaces.chat.message_keys import (
    PROGRESS,
    is_orphaned_opener,
    orphaned_opener,
    orphaned_question,
    question_message,
    question_of,
)
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import ChatPlace, MessageRef
from bot.surfaces.chat.platform import ChatPlatform, Priority
from bot.surfaces.chat.rendering import progress_message, run_card
from bot.surfaces.chat.wording import run_messages

log = structlog.get_logger(__name__)

RECORDING_GRACE_S = 0.5
"""Seconds in which whoever posted a message has recorded it; less than before a post is tried again."""
MAX_UPDATE_ATTEMPTS = 5
MAX_RETRY_DELAY_S = 30.0


class OrphanReconciler:
    """Finds, adopts and reconciles orphaned messages."""

    def __init__(self, store: Store, platform: ChatPlatform, links: Links) -> None:
        self._store = store
        self._platform = platform
        self._surface = platform.capabilities.surface
        self._limits = platform.capabilities.limits
        self._links = links
        self._builder = QuestionMessageBuilder(store, self._limits)

    # ── adopting ────────────────────────────────────────────────────────────────────────────────────────

    async def is_recorded(self, run_id: str, posted: MessageRef) -> bool:
        """Whether this message is recorded. False while the store is away."""
        try:
            return await self._recorded(run_id, posted)
        except StoreUnavailable:
            return False

    async def adopt_unless_recorded_soon(
        self, run_id: str, question_id: str, posted: MessageRef, *, tenant: str, thread: str
    ) -> None:
        """Adopt this message unless it is recorded in a moment; where the store is away, once it is back."""
        while True:
            await asyncio.sleep(RECORDING_GRACE_S)
            await self._platform.yield_to_acks()
            try:
                await self.adopt(run_id, question_id, posted, tenant=tenant, thread=thread)
            except StoreUnavailable:
                log.debug("the store is away: a message of ours is looked at later")
            else:
                return

    async def adopt(
        self, run_id: str, question_id: str, posted: MessageRef, *, tenant: str, thread: str
    ) -> None:
        """Record a message unless it is recorded; before a press on it counts, so that settling rewrites it.

        It gets a name of its own, so that it replaces no message that is being recorded meanwhile.
        """
        if await self._recorded(run_id, posted):
            return
        if question_id and thread in {"", posted.message_id}:
            # A direct message: replies below it are replies to the run.
            place = ChatPlace(self._surface, tenant, posted.channel, posted.message_id)
            await self._store.runs.add_place(run_id, place.encode())
        name = orphaned_question(question_id, posted) if question_id else orphaned_opener(posted)
        await self._store.outbox.adopt(self._surface, run_id, name, posted.encode())

    async def show_anew(self, tenant: str, posted: MessageRef, thread: str) -> None:
        """Have the open questions shown again that a deleted message showed. Raises StoreUnavailable.

        Whoever delivers the run knows which these are: they may be posting the message just now.
        """
        place = ChatPlace(self._surface, tenant, posted.channel, thread or None).encode()
        for run in await self._store.runs.at(place):
            if not run.status.over:
                await self._store.outbox.redraw_message(self._surface, run.id, posted.encode())

    async def _recorded(self, run_id: str, posted: MessageRef) -> bool:
        """Where the message is, or that it was deleted."""
        ref = posted.encode()
        names = (await self._store.outbox.state(self._surface, run_id)).messages
        return ref in names.values() or redrawn_message(ref) in names

    async def show_outcome(self, run_id: str, question_id: str, posted: MessageRef) -> None:
        """Show a settled question's outcome in this message. Best effort; the next press retries."""
        try:
            run = await self._store.runs.get(run_id)
            question = await self._store.questions.get(run_id, question_id)
        except NotFound:
            return
        if not question.open:
            names = (await self._store.outbox.state(self._surface, run_id)).messages
            await self._update(posted, await self._builder.message(run, question, names, posted))

    async def _update(self, posted: MessageRef, message: Message) -> None:
        try:
            try:
                await self._edit(posted, message)
            except Unrenderable:
                await self._edit(posted, message.without_blocks())
        except (RetryLater, Rejected) as failure:
            log.info("a settled question's message can't be edited", why=str(failure))

    async def _edit(self, posted: MessageRef, message: Message) -> None:
        edit = partial(self._platform.update, posted, message)
        await with_retries(edit, MAX_UPDATE_ATTEMPTS, MAX_RETRY_DELAY_S)

    # ── reconciling ─────────────────────────────────────────────────────────────────────────────────────

    async def reconcile(self, thread: RunThread) -> None:
        """Rewrite the run's adopted messages, each once.

        Raises RetryLater, CredentialsRefused, ShardLeaseLost, StoreUnavailable.
        """
        for name in sorted(each for each in thread.outdated if not is_redrawn(each)):
            ref = thread.messages[name]
            log.info("an orphaned message was found", run_id=thread.run.id, message=ref)
            if is_orphaned_opener(name):
                await self._reconcile_opener(thread, MessageRef.decode(ref))
            else:
                await self._reconcile_question(thread, question_of(name), MessageRef.decode(ref))
            await thread.record(name, ref)

    async def _reconcile_opener(self, thread: RunThread, posted: MessageRef) -> None:
        """Point from it to the run's thread; or show the end of a run that has no thread."""
        first = thread.named(PROGRESS)
        if posted in first:
            return
        card = await run_card(self._store, thread.run)
        link = await self._links.address(first[0]) if first else None
        message = run_messages.posted_twice(card, link) if first else await progress_message(card)
        await thread.rewrite_one(posted, message, Priority.NEWS)

    async def _reconcile_question(self, thread: RunThread, question_id: str, posted: MessageRef) -> None:
        """Its buttons work while the question is open; settling it rewrites all of its messages."""
        if (name := question_message(question_id)) not in thread.messages:
            await thread.record(name, posted.encode())
        try:
            question = await self._store.questions.get(thread.run.id, question_id)
        except NotFound:
            return
        if not question.open or question.progress.counted:
            message = await self._builder.message(thread.run, question, thread.messages, posted)
            await thread.rewrite_one(posted, message, Priority.DECISION)
