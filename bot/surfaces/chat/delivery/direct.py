"""Asking people directly: where a run's thread is closed to us, each decider gets a message of their own.

The run itself goes on in a direct message to its requester, who decides there if they may. If nobody who may
answer can be told, that is recorded, counted and tried again for as long as the question is open.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from bot.core.people import People
from bot.core.policy import ANYONE, can_decide, is_live_group
from bot.core.ports import Store
from bot.core.question import Question
from bot.metrics import Metrics
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.delivery.question_copies import QuestionCopies
from bot.surfaces.chat.delivery.thread import RunThread
from bot.surfaces.chat.failures import Rejected, ShutOut
from bot.surfaces.chat.message_keys import (
    Posted,
    direct_question,
    is_direct,
    question_message,
    questions_at,
    untold,
)
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.platform import ChatPlatform
from bot.surfaces.chat.wording import question_messages

log = structlog.get_logger(__name__)

MAX_ASKED = 30
"""So many members of groups get a message of their own."""


class DirectQuestions:
    """Questions in direct messages to who may answer."""

    def __init__(
        self, store: Store, platform: ChatPlatform, metrics: Metrics, copies: QuestionCopies
    ) -> None:
        self._store = store
        self._platform = platform
        self._metrics = metrics
        self._copies = copies

    async def ask(self, thread: RunThread, question: Question) -> None:
        """Ask everybody who may answer and was not asked yet.

        Raises Later, ShutOut, Superseded, StoreUnavailable.
        """
        card = await self._copies.shown.card(thread.run, question)
        people = await self._store.directory.people(question.policy, [thread.run.requester])
        asked, refusal = False, ""
        for user_id in ("", *self._others(thread, question, people)):
            try:
                asked |= await self._ask_one(thread, question, card, user_id, people)
            except ShutOut:
                raise
            except Rejected as rejected:
                refusal = refusal or rejected.code
                log.warning("somebody can't be asked", run_id=thread.run.id, user=user_id, code=rejected.code)
        await self._note(thread, question, asked=asked, refusal=refusal)

    async def remind(self, thread: RunThread, question_id: str, reminder: Message) -> None:
        """Remind everybody who was asked directly. Raises Later, ShutOut."""
        for name, ref in tuple(thread.messages.items()):
            if is_direct(name, question_id):
                try:
                    await self._platform.post(Posted.decode(ref).thread, reminder)
                except ShutOut:
                    raise
                except Rejected as rejected:
                    log.warning("a decider can't be reminded", run_id=thread.run.id, code=rejected.code)

    async def _ask_requester(
        self, thread: RunThread, question: Question, card: QuestionCard, people: People
    ) -> bool:
        """In the direct message in which the run goes on; whether they may answer there."""
        if thread.moved is None:
            return False
        may_answer = can_decide(thread.run.requester, question.policy, people)
        name = _name_where_moved(thread, question.id)
        if name not in thread.messages:
            if not may_answer:
                await thread.post(
                    question_messages.elsewhere(card, self._platform.capabilities.limits), name=name
                )
            elif not await self._join_where_moved(thread, question, name):
                await self._copies.post(thread, card, name, thread.conversation)
        return may_answer

    async def _join_where_moved(self, thread: RunThread, question: Question, name: str) -> bool:
        """Ask beside approvals of the turn with the same policy: the requester may decide all of them."""
        closed = f"{thread.place.channel}/"
        here = {each: ref for each, ref in thread.messages.items() if not ref.startswith(closed)}
        beside = await self._copies.shown.joinable(thread.run, question, here)
        if beside is None:
            return False
        sharing = questions_at(here, beside)
        others = [each for each in await self._store.questions.list(thread.run.id) if each.id in sharing]
        if any(each.policy != question.policy for each in others):
            return False
        return await self._copies.join(thread, question, name, beside)

    async def _ask_one(
        self, thread: RunThread, question: Question, card: QuestionCard, user_id: str, people: People
    ) -> bool:
        """Ask a decider, or (no user) the requester; whether this is somebody who may answer."""
        if not user_id:
            return await self._ask_requester(thread, question, card, people)
        name = direct_question(card.question_id, user_id)
        if name not in thread.messages:
            beside = await self._copies.shown.joinable(thread.run, question, thread.messages, user_id)
            if beside is None or not await self._copies.join(thread, question, name, beside):
                await self._copies.post(thread, card, name, await self._platform.open_direct(user_id))
            posted = Posted.decode(thread.messages[name])
            place = thread.place.moved_to(self._platform.thread_of(posted))
            await self._store.runs.add_place(thread.run.id, place.encode())
        return True

    def _others(self, thread: RunThread, question: Question, people: People) -> Iterable[str]:
        """Deciders by their ids; the requester is asked where the run goes on, if it does."""
        place, policy = thread.place, question.policy
        own = (f"{place.surface}:{place.tenant}:", f"{place.surface}::")
        excluded = people.expand(policy.excluded)
        named = (each for name in policy.deciders for each in sorted(people.groups.get(name, {name})))
        users = [
            each.removeprefix(prefix)
            for each in named
            for prefix in own
            if each.startswith(prefix) and each not in excluded and not is_live_group(each)
        ]
        requester = thread.run.requester.user_id if thread.moved is not None else ""
        return [user_id for user_id in dict.fromkeys(users) if user_id != requester][:MAX_ASKED]

    async def _note(self, thread: RunThread, question: Question, *, asked: bool, refusal: str) -> None:
        name, known = untold(question.id), thread.messages.get(untold(question.id), "")
        if asked or not (refusal or ANYONE in question.policy.deciders):
            if known:
                await thread.note(name, "")
            return
        if not known:
            self._metrics.untold.inc()
            await thread.note(name, refusal or "channel_closed")
        log.warning(
            "nobody who may answer can be told of a question; trying again",
            run_id=thread.run.id,
            question_id=question.id,
            code=refusal,
        )


def _name_where_moved(thread: RunThread, question_id: str) -> str:
    """The first message is in the thread that is closed by now, unless the question came later."""
    first, second = question_message(question_id), question_message(question_id, 1)
    posted = thread.messages.get(first)
    return second if posted and Posted.decode(posted).channel == thread.place.channel else first
