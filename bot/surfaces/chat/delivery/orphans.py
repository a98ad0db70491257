"""Messages that turned up: posted by somebody who died before recording them, adopted, and put right here."""

from __future__ import annotations

import structlog

from bot.core.errors import NotFound
from bot.core.ports import Store
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.delivery.event_poster import progress, run_card, settled
from bot.surfaces.chat.delivery.thread import PROGRESS, Thread
from bot.surfaces.chat.message_keys import TWIN, Posted, question_copy, question_of
from bot.surfaces.slack.cards import runcard
from bot.surfaces.slack.webapi.links import Links
from bot.surfaces.slack.webapi.token_bucket import Priority

log = structlog.get_logger(__name__)


class Mending:
    """Looks after adopted messages, each once."""

    def __init__(self, store: Store, links: Links) -> None:
        self._store = store
        self._links = links

    async def mend(self, thread: Thread) -> None:
        """None of them offers what can't be done any more when this returns.

        Raises Later, Rejected (the workspace is closed to us), Superseded, StoreUnavailable.
        """
        for name in sorted(thread.adopted):
            ref = thread.copies[name]
            log.info("a message turned up that nobody had recorded", run_id=thread.run.id, message=ref)
            if name.startswith(f"{TWIN}:"):
                await self._twin(thread, Posted.decode(ref))
            else:
                await self._question(thread, question_of(name), Posted.decode(ref))
            await thread.note(name, ref)

    async def _twin(self, thread: Thread, posted: Posted) -> None:
        """Point from it to the run's thread; or let it show the end of a run that never had one."""
        first = thread.named(PROGRESS)
        if posted in first:
            return
        shown = await run_card(self._store, thread.run)
        link = await self._links.to(first[0]) if first else None
        message = runcard.twin(shown, link) if first else await progress(shown)
        await thread.rewrite_one(posted, message, Priority.NEWS)

    async def _question(self, thread: Thread, question_id: str, posted: Posted) -> None:
        """While it is open, its buttons are as good as others; what settles it rewrites all copies."""
        if (name := question_copy(question_id)) not in thread.copies:
            await thread.note(name, posted.encode())
        try:
            question = await self._store.questions.get(thread.run.id, question_id)
        except NotFound:
            return
        if not question.open:
            message = await settled(question_card(thread.run, question))
            await thread.rewrite_one(posted, message, Priority.DECISION)
