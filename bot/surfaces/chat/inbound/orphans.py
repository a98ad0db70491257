"""Messages with buttons that nobody recorded, and that turn up. They lose their buttons in the end, too.

Who dies between posting a message and writing down where it is leaves such a one behind; the next one may
post it again.
"""

from __future__ import annotations

import asyncio

import structlog

from bot.core.errors import NotFound, StoreUnavailable
from bot.core.ports import Store
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.message_keys import Posted, late_copy, twin
from bot.surfaces.slack.cards import asking
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.place import SURFACE
from bot.surfaces.slack.webapi.api import Later, Rejected, SlackApi, Unrenderable

log = structlog.get_logger(__name__)

MOMENT = 0.5
"""Seconds in which whoever posted a message has recorded it; less than before a post is tried again."""
ATTEMPTS = 5
LONGEST_WAIT = 30.0


class OrphanReconciler:
    """Finds and adopts orphaned messages."""

    def __init__(self, store: Store, api: SlackApi) -> None:
        self._store = store
        self._api = api

    async def is_recorded(self, run_id: str, posted: Posted) -> bool:
        """Whether this message is recorded. False while the store is away."""
        try:
            return await self._recorded(run_id, posted)
        except StoreUnavailable:
            return False

    async def _recorded(self, run_id: str, posted: Posted) -> bool:
        return posted.encode() in (await self._store.outbox.state(SURFACE, run_id)).copies.values()

    async def adopt_unless_recorded_soon(self, run_id: str, question_id: str, posted: Posted) -> None:
        """Adopt this message unless it is recorded in a moment; where the store is away, once it is back."""
        while True:
            await asyncio.sleep(MOMENT)
            await self._api.yield_to_acks()
            try:
                await self.adopt(run_id, question_id, posted)
            except StoreUnavailable:
                log.debug("the store is away: a message of ours is looked at later")
            else:
                return

    async def adopt(self, run_id: str, question_id: str, posted: Posted) -> None:
        """Record a message unless it is: before its press counts, so that it is rewritten with the others.

        Under a name of its own: whoever is just about to post or to record another copy takes none away.
        """
        if not await self._recorded(run_id, posted):
            name = late_copy(question_id, posted) if question_id else twin(posted)
            await self._store.outbox.adopt(SURFACE, run_id, name, posted.encode())

    async def show_outcome(self, run_id: str, question_id: str, posted: Posted) -> None:
        """Show the outcome of a settled question in this copy: it turned up when the others had been."""
        try:
            run = await self._store.runs.get(run_id)
            question = await self._store.questions.get(run_id, question_id)
        except NotFound:
            return
        if not question.open:
            await self._patiently(posted, asking.settled(question_card(run, question)))

    async def _patiently(self, posted: Posted, message: Message) -> None:
        """Whatever becomes of it: who presses once more has it tried once more."""
        for _ in range(ATTEMPTS):
            try:
                await self._api.update(posted, message)
            except Later as later:
                await asyncio.sleep(min(later.seconds, LONGEST_WAIT))
            except Unrenderable:
                message = Message(text=message.text)
            except Rejected as rejected:
                log.info("a copy of a settled question can't be edited", code=rejected.code)
                return
            else:
                return
