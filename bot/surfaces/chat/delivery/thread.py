"""One run's thread: posting into it and rewriting what is there, come what may.

Where the thread can't be reached any more the run goes on in a direct message to its requester. Every message
that must not be said twice is recorded under a name as soon as it is posted.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot.core.ports import Delivery, Outbox
from bot.core.run import Run
from bot.surfaces.chat.message_keys import MOVED, Posted
from bot.surfaces.slack.cards.mrkdwn import escape, pieces
from bot.surfaces.slack.cards.runcard import TEXT, Message
from bot.surfaces.slack.place import SURFACE, SlackPlace
from bot.surfaces.slack.webapi.api import SlackApi
from bot.surfaces.slack.webapi.failures import SHUT_OUT, Rejected, Unrenderable
from bot.surfaces.slack.webapi.token_bucket import Priority

log = structlog.get_logger(__name__)

PROGRESS = "run"
"""The name of the message that carries the run's progress."""
DRAWN = "drawn"
"""Noted with the newest event that the progress message shows."""


class Superseded(BaseException):
    """Another process delivers this shard by now. Not an error: stop, it goes on there."""


class Ledger:
    """Records for one process what it has shown."""

    def __init__(self, deliveries: Outbox, owner: str) -> None:
        self._deliveries = deliveries
        self._owner = owner

    async def shown(self, run_id: str) -> Delivery:
        return await self._deliveries.state(SURFACE, run_id)

    async def record(self, run_id: str, cursor: int, copies: Mapping[str, str] | None = None) -> None:
        """Raises Superseded."""
        if not await self._deliveries.mark_delivered(SURFACE, self._owner, run_id, cursor, copies):
            raise Superseded


class Thread:
    """A run's thread as it was shown so far. Used by one task at a time."""

    def __init__(self, api: SlackApi, ledger: Ledger, run: Run, place: SlackPlace, shown: Delivery) -> None:
        self._api = api
        self._ledger = ledger
        self.run = run
        self.place = place
        self.cursor = shown.cursor
        self.copies = dict(shown.copies)
        #: Names of copies that turned up, and are still to be looked after.
        self.adopted = shown.adopted

    @property
    def moved(self) -> Posted | None:
        """The direct message in which the run goes on, if it had to move."""
        return Posted.decode(self.copies[MOVED]) if MOVED in self.copies else None

    def named(self, name: str) -> list[Posted]:
        """Where the card of this name is, all copies of it (`name`, `name:1`, ...)."""
        found = (ref for key, ref in self.copies.items() if key == name or key.startswith(f"{name}:"))
        return [Posted.decode(ref) for ref in dict.fromkeys(found)]

    # ── saying ──────────────────────────────────────────────────────────────────────────────────────────

    async def say(
        self,
        message: Message,
        *,
        name: str = "",
        noted: Mapping[str, str] | None = None,
        priority: Priority = Priority.NEWS,
        direct: str | None = None,
    ) -> Posted:
        """Post it, in the thread or in a channel of `direct` messages.

        If it has a name it is recorded, with what is `noted` of it under other names. Raises Later,
        Unrenderable, Rejected (the thread is closed to us, or all is), Superseded.
        """
        channel, thread_ts = (direct, None) if direct else self._at()
        posted = await self._api.post(channel, message, thread_ts=thread_ts, priority=priority)
        if name:
            await self._note({name: posted.encode(), **(noted or {})})
        return posted

    async def share(self, file: str, content: str, title: str, direct: str | None = None) -> None:
        """Post a text as a file; in parts as messages where files can't be uploaded."""
        channel, thread_ts = (direct, None) if direct else self._at()
        try:
            await self._api.upload(channel, file, content, title=title, thread_ts=thread_ts)
        except Rejected as rejected:
            if rejected.code in SHUT_OUT:
                raise
            log.warning("a file can't be uploaded; posting text", run_id=self.run.id, code=rejected.code)
            for part in pieces(content, TEXT, escape):
                await self.say(Message(text=escape(part)), direct=direct)

    async def rewrite(self, name: str, message: Message, priority: Priority = Priority.DECISION) -> None:
        """Rewrite all copies of a card, as text where it can't be rendered.

        A copy that somebody deleted, or in a closed channel, stays as it is. Raises Later, and Rejected if
        the workspace is closed to us.
        """
        for posted in self.named(name):
            await self.rewrite_one(posted, message, priority)

    async def rewrite_one(self, posted: Posted, message: Message, priority: Priority) -> None:
        """As `rewrite`, one message."""
        for form in (message, Message(text=message.text)):
            try:
                await self._api.update(posted, form, priority=priority)
            except Rejected as rejected:
                if rejected.code in SHUT_OUT:
                    raise
                log.info("a message can't be edited so", run_id=self.run.id, code=rejected.code)
                if not isinstance(rejected, Unrenderable):
                    break
            else:
                break

    def _at(self) -> tuple[str, str | None]:
        moved = self.moved
        return (moved.channel, moved.ts) if moved else (self.place.channel, self.place.thread_ts)

    # ── recording ───────────────────────────────────────────────────────────────────────────────────────

    async def note(self, name: str, ref: str) -> None:
        """Record what was posted. Raises Superseded."""
        await self._note({name: ref})

    async def _note(self, refs: Mapping[str, str]) -> None:
        self.copies.update(refs)
        await self._ledger.record(self.run.id, self.cursor, refs)

    async def reached(self, seq: int) -> None:
        """Record that everything up to this event is shown. Raises Superseded."""
        self.cursor = seq
        await self._ledger.record(self.run.id, seq)
