"""Messages with buttons that nobody recorded, and that turn up. They lose their buttons in the end, too.

Who dies between posting a message and writing down where it is leaves such a one behind; the next one may
post it again.
"""

from __future__ import annotations

import asyncio

import structlog

from bot.core.errors import NotFound
from bot.core.ports import Store
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.chat.message_keys import Posted, late_copy, twin
from bot.surfaces.slack.cards import asking
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.place import SURFACE
from bot.surfaces.slack.webapi.api import Later, Rejected, SlackApi, Unrenderable

log = structlog.get_logger(__name__)

ATTEMPTS = 5
LONGEST_WAIT = 30.0


class Copies:
    """Sees to the message that was pressed on."""

    def __init__(self, store: Store, api: SlackApi) -> None:
        self._store = store
        self._api = api

    async def recorded(self, target: Target, posted: Posted) -> bool:
        """Whether somebody has written down where this message is."""
        return posted.encode() in (await self._store.outbox.state(SURFACE, target.run_id)).copies.values()

    async def adopt(self, target: Target, posted: Posted) -> None:
        """Record a message unless it is: before its press counts, so that it is rewritten with the others.

        Under a name of its own: whoever is just about to post or to record another copy takes none away.
        """
        if not await self.recorded(target, posted):
            question_id = target.question_id
            name = late_copy(question_id, posted) if question_id else twin(posted)
            await self._store.outbox.adopt(SURFACE, target.run_id, name, posted.encode())

    async def rewrite(self, target: Target, posted: Posted) -> None:
        """Show the outcome of a settled question in this copy: it turned up when the others had been."""
        try:
            run = await self._store.runs.get(target.run_id)
            question = await self._store.questions.get(target.run_id, target.question_id)
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
