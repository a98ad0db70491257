"""Asking people directly: where a run's thread is closed to us, each decider gets the question of their own.

The run itself goes on in a direct message to its requester, who decides there if they may. If none of the
people who may answer can be told, that is noted, counted and tried again for as long as the question is open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import structlog

from bot.core.policy import ANYONE, can_decide
from bot.core.ports import Store
from bot.core.question import Question
from bot.surfaces.chat.cards import QuestionCard, question_card
from bot.surfaces.chat.delivery.thread import Thread
from bot.surfaces.chat.message_keys import Posted, direct_copy, is_direct, question_copy, untold
from bot.surfaces.slack.cards import asking
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.place import SURFACE, SlackPlace
from bot.surfaces.slack.webapi.api import SlackApi
from bot.surfaces.slack.webapi.failures import SHUT_OUT, Rejected

log = structlog.get_logger(__name__)

Post = Callable[[Thread, QuestionCard, str, str | None], Awaitable[None]]
"""Posts a question under a name: in the run's thread, or in a channel of direct messages."""


class Direct:
    """Direct messages to who may answer."""

    def __init__(self, store: Store, api: SlackApi, post: Post) -> None:
        self._store = store
        self._api = api
        self._post = post

    async def ask(self, thread: Thread, question: Question) -> None:
        """Ask everybody who may answer and was not asked yet.

        Raises Later, Rejected (the workspace is closed to us), Superseded, StoreUnavailable.
        """
        found = question_card(thread.run, question)
        asked, why = False, ""
        for user in ("", *self._others(thread, question)):
            try:
                asked |= await self._ask_one(thread, question, found, user)
            except Rejected as rejected:
                if rejected.code in SHUT_OUT:
                    raise
                why = why or rejected.code
                log.warning("somebody can't be asked", run_id=thread.run.id, user=user, code=rejected.code)
        await self._note(thread, question, asked=asked, why=why)

    async def remind(self, thread: Thread, question_id: str, reminder: Message) -> None:
        """Say it to everybody who was asked directly. Raises Later, Rejected (all is closed to us)."""
        for name, ref in tuple(thread.copies.items()):
            if is_direct(name, question_id):
                posted = Posted.decode(ref)
                try:
                    await self._api.post(posted.channel, reminder, thread_ts=posted.ts)
                except Rejected as rejected:
                    if rejected.code in SHUT_OUT:
                        raise
                    log.warning("a decider can't be reminded", run_id=thread.run.id, code=rejected.code)

    async def _ask_requester(self, thread: Thread, question: Question, found: QuestionCard) -> bool:
        """In the direct message in which the run goes on; whether they may answer there."""
        if thread.moved is None:
            return False
        mine = can_decide(thread.run.requester, question.policy)
        name = _name_where_moved(thread, question.id)
        if name not in thread.copies:
            if mine:
                await self._post(thread, found, name, None)
            else:
                await thread.say(asking.elsewhere(found), name=name)
        return mine

    async def _ask_one(self, thread: Thread, question: Question, found: QuestionCard, user: str) -> bool:
        """Ask a decider, or (no user) the requester; whether this is somebody who may answer."""
        if not user:
            return await self._ask_requester(thread, question, found)
        name = direct_copy(found.question_id, user)
        if name not in thread.copies:
            await self._post(thread, found, name, await self._api.direct(user))
            posted = Posted.decode(thread.copies[name])
            there = SlackPlace(thread.place.team, posted.channel, posted.ts)
            await self._store.runs.add_place(thread.run.id, there.encode())
        return True

    def _others(self, thread: Thread, question: Question) -> Iterable[str]:
        """Deciders by their ids; the requester is asked where the run goes on, if it does."""
        here = f"{SURFACE}:{thread.place.team}:"
        users = [each.removeprefix(here) for each in question.policy.deciders if each.startswith(here)]
        there = thread.run.requester.user_id if thread.moved is not None else ""
        return [user for user in dict.fromkeys(users) if user != there]

    async def _note(self, thread: Thread, question: Question, *, asked: bool, why: str) -> None:
        name, known = untold(question.id), thread.copies.get(untold(question.id), "")
        if asked or not (why or ANYONE in question.policy.deciders):
            if known:
                await thread.note(name, "")
            return
        if not known:
            self._api.count_untold()
            await thread.note(name, why or "channel_closed")
        log.warning(
            "nobody who may answer can be told of a question; trying again",
            run_id=thread.run.id,
            question_id=question.id,
            code=why,
        )


def _name_where_moved(thread: Thread, question_id: str) -> str:
    """The first copy is in the thread that is closed by now, unless the question came later."""
    first, second = question_copy(question_id), question_copy(question_id, 1)
    closed = thread.copies.get(first, "").partition("/")[0] == thread.place.channel
    return second if closed else first
