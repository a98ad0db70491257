"""Posting questions: into the threads of their runs, or directly to who may answer; and rewriting every copy.

Where a run's thread is closed to us, each decider gets a message of their own. The run itself goes on in a
direct message to its requester, who decides there if they may. If nobody who may answer can be told, that is
recorded, counted and tried again for as long as the question is open.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from bot.core.errors import NotFound
from bot.core.events.event import HumanInputRecorded
from bot.core.people.identities import People
from bot.core.people.policy import ANYONE, can_decide, is_live_group
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.metrics import Metrics
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.delivery.question_sender import QuestionSender
from bot.surfaces.chat.delivery.thread import Links, RunThread
from bot.surfaces.chat.failures import CredentialsRefused, Rejected
from bot.surfaces.chat.message_keys import (
    direct_question,
    is_direct,
    notification_failure,
    notification_failures,
    question_message,
    questions_at,
)
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import Conversation, MessageRef
from bot.surfaces.chat.platform import ChatPlatform
from bot.surfaces.chat.rendering import settled_message
from bot.surfaces.chat.wording import question_messages

log = structlog.get_logger(__name__)


MAX_ASKED = 30
"""How many members of groups get a direct message, at most."""


class DirectQuestions:
    """Questions in direct messages to who may answer."""

    def __init__(
        self, store: Store, platform: ChatPlatform, metrics: Metrics, sender: QuestionSender
    ) -> None:
        self._store = store
        self._platform = platform
        self._metrics = metrics
        self._sender = sender

    async def ask(self, thread: RunThread, question: Question) -> None:
        """Ask everybody who may answer and was not asked yet.

        Raises RetryLater, CredentialsRefused, ShardLeaseLost, StoreUnavailable.
        """
        card = await self._sender.builder.card(thread.run, question)
        people = await self._store.directory.people(question.policy, [thread.run.requester])
        asked, refusal = False, ""
        for user_id in ("", *self._others(thread, question, people)):
            try:
                asked |= await self._ask_one(thread, question, card, user_id, people)
            except CredentialsRefused:
                raise
            except Rejected as rejected:
                refusal = refusal or rejected.code
                log.warning("somebody can't be asked", run_id=thread.run.id, user=user_id, code=rejected.code)
        await self._record_told(thread, question, asked=asked, refusal=refusal)

    async def remind(self, thread: RunThread, question_id: str, reminder: Message, name: str) -> None:
        """Remind everybody who was asked directly, each once under this name.

        Raises RetryLater, CredentialsRefused, ShardLeaseLost.
        """
        asked = [each for each in thread.messages.items() if is_direct(each[0], question_id)]
        for question_name, ref in asked:
            own = keys.to_one(name, keys.recipient_of(question_name))
            if own in thread.messages:
                continue
            try:
                await thread.post_to(self._platform.thread_of(MessageRef.decode(ref)), reminder, name=own)
            except CredentialsRefused:
                raise
            except Rejected as rejected:
                log.warning("a decider can't be reminded", run_id=thread.run.id, code=rejected.code)

    async def requester_decides(self, thread: RunThread, question: Question) -> bool:
        """Whether the requester may answer the question, by what is known of people now."""
        requester = thread.run.requester
        people = await self._store.directory.people(question.policy, [requester])
        return can_decide(requester, question.policy, people)

    async def _ask_requester(
        self, thread: RunThread, question: Question, card: QuestionCard, people: People
    ) -> bool:
        """Ask in the direct message in which the run goes on. Whether the requester may answer there."""
        if thread.moved is None:
            return False
        may_answer = can_decide(thread.run.requester, question.policy, people)
        name = _name_where_moved(thread, question.id)
        if name not in thread.messages:
            if not may_answer:
                await thread.post(
                    question_messages.read_only(card, self._platform.capabilities.limits), name=name
                )
            elif not await self._join_where_moved(thread, question, name):
                await self._sender.post(thread, card, name, thread.conversation)
        return may_answer

    async def _join_where_moved(self, thread: RunThread, question: Question, name: str) -> bool:
        """Ask beside approvals of the turn with the same policy: the requester may decide all of them."""
        closed = f"{thread.place.channel}/"
        here = {each: ref for each, ref in thread.messages.items() if not ref.startswith(closed)}
        beside = await self._sender.builder.joinable(thread.run, question, here)
        if beside is None:
            return False
        sharing = questions_at(here, beside)
        others = [each for each in await self._store.questions.list(thread.run.id) if each.id in sharing]
        if any(each.policy != question.policy for each in others):
            return False
        return await self._sender.join(thread, question, name, beside)

    async def _ask_one(
        self, thread: RunThread, question: Question, card: QuestionCard, user_id: str, people: People
    ) -> bool:
        """Ask a decider, or (no user) the requester; whether this is somebody who may answer."""
        if not user_id:
            return await self._ask_requester(thread, question, card, people)
        name = direct_question(card.question_id, user_id)
        if name not in thread.messages:
            beside = await self._sender.builder.joinable(thread.run, question, thread.messages, user_id)
            if beside is None or not await self._sender.join(thread, question, name, beside):
                to = await self._platform.open_direct(user_id)
                await self._add_place(thread, to)
                await self._sender.post(thread, card, name, to)
        # Also where it was posted already: a crash may have prevented it.
        await self._add_place(thread, self._platform.thread_of(MessageRef.decode(thread.messages[name])))
        return True

    async def _add_place(self, thread: RunThread, where: Conversation) -> None:
        """Replies there are replies to the run, if it is known by now in which thread they will be."""
        if where.thread is not None:
            await self._store.runs.add_place(thread.run.id, thread.place.moved_to(where).encode())

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

    async def _record_told(self, thread: RunThread, question: Question, *, asked: bool, refusal: str) -> None:
        name = notification_failure(question.id)
        known = thread.messages.get(name, "")
        if asked or not (refusal or ANYONE in question.policy.deciders):
            if known:
                await thread.record(name, "")
            return
        if not known:
            self._metrics.unnotified_questions.inc()
            await thread.record(name, refusal or "channel_closed")
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
    return second if posted and MessageRef.decode(posted).channel == thread.place.channel else first


class QuestionPoster:
    """Shows questions. Raises RetryLater, Rejected, CredentialsRefused, ShardLeaseLost, StoreUnavailable."""

    def __init__(self, store: Store, platform: ChatPlatform, links: Links, metrics: Metrics) -> None:
        self._store = store
        self._platform = platform
        self._limits = platform.capabilities.limits
        self._links = links
        self._sender = QuestionSender(store, self._limits)
        self._builder = self._sender.builder
        self._direct = DirectQuestions(store, platform, metrics, self._sender)

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────

    async def ask(self, thread: RunThread, question_id: str) -> None:
        """Ask a question in the run's thread, beside the other approvals of its turn if there are some."""
        name = question_message(question_id)
        question = await self._question(thread, question_id)
        if question is None:
            return
        if question.open and thread.moved is not None:
            await self._direct.ask(thread, question)
        elif not thread.named(name):
            await self._ask_in_thread(thread, question, name)
            if thread.messages.get(notification_failure(question_id)):
                await thread.record(notification_failure(question_id), "")

    async def _ask_in_thread(self, thread: RunThread, question: Question, name: str) -> None:
        beside = (
            await self._builder.joinable(thread.run, question, thread.messages) if question.open else None
        )
        if beside is None or not await self._sender.join(thread, question, name, beside):
            card = await self._builder.card(thread.run, question)
            await self._sender.post(thread, card, name, thread.conversation)

    async def ask_directly(self, thread: RunThread, question_id: str = "") -> None:
        """Ask all open questions, or this one, in direct messages; retried if they reach nobody."""
        for question in await self._store.questions.list(thread.run.id):
            if question.open and question_id in {"", question.id}:
                await self._direct.ask(thread, question)

    async def retry_notifications(self, thread: RunThread) -> None:
        """Ask again the questions of which nobody could be told."""
        for question_id in notification_failures(thread.messages):
            question = await self._question(thread, question_id)
            if question is None or not question.open:
                continue
            try:
                await self.ask(thread, question_id)
            except CredentialsRefused:
                raise
            except Rejected as rejected:
                log.info(
                    "a run's thread can still not be posted to", run_id=thread.run.id, code=rejected.code
                )
            if notification_failures(thread.messages).get(question_id):
                await self._direct.ask(thread, question)

    # ── what changes ────────────────────────────────────────────────────────────────────────────────────

    async def show_progress(self, thread: RunThread, recorded: HumanInputRecorded, seq: int) -> None:
        """Show on every copy how far the decision is; tell everybody of an edit."""
        question = await self._question(thread, recorded.question_id)
        if question is None or not question.open:
            return
        card = await self._builder.card(thread.run, question)
        for conversation in self._conversations(thread, question.id):
            await self._sender.upload_if_long(thread, card, conversation)
        await self._rewrite_all(thread, question)
        await thread.record(keys.shown_digest(question.id), question.digest)
        if recorded.arguments is not None or recorded.value is not None:
            await self._tell_of_edit(thread, card, seq)

    def _conversations(self, thread: RunThread, question_id: str) -> list[Conversation]:
        """The run's thread, and the direct messages in which the question was asked."""
        messages = thread.messages.items()
        direct = (ref for name, ref in messages if keys.is_direct(name, question_id))
        return [thread.conversation, *(self._platform.thread_of(MessageRef.decode(ref)) for ref in direct)]

    async def _tell_of_edit(self, thread: RunThread, card: QuestionCard, seq: int) -> None:
        name = keys.edit_message(seq)
        if name not in thread.messages:
            posted = thread.named(question_message(card.question_id))
            link = await self._links.address(posted[-1]) if posted else None
            await thread.post(question_messages.edited(card, link, self._limits), name=name)

    async def settle(self, thread: RunThread, question_id: str) -> None:
        """Show a question's outcome on every copy."""
        question = await self._question(thread, question_id)
        if question is None or question.open:
            return
        if thread.named(question_message(question_id)):
            await self._rewrite_all(thread, question)
        else:
            card = await self._builder.card(thread.run, question)
            await thread.post(await settled_message(card, self._limits), name=question_message(question_id))

    async def show_anew(self, thread: RunThread, question_id: str) -> None:
        """Post an open question again whose message in the thread somebody deleted."""
        question = await self._question(thread, question_id)
        if question is not None and question.open:
            await self._rewrite_all(thread, question)

    async def _rewrite_all(self, thread: RunThread, question: Question) -> None:
        """Every copy. One that somebody deleted is posted anew, in direct messages while it is open."""
        name = question_message(question.id)
        in_thread, ask_directly = thread.messages.get(name), False
        for posted in thread.named(name):
            if await self._rewrite(thread, question, posted):
                continue
            if posted.channel != thread.place.channel:
                thread.forget(posted, question.id)
                ask_directly = question.open
            elif posted.encode() == in_thread and thread.moved is None:
                card = await self._builder.card(thread.run, question)
                await self._sender.post(thread, card, name, thread.conversation)
        if ask_directly:
            await self._direct.ask(thread, question)

    async def _rewrite(self, thread: RunThread, question: Question, posted: MessageRef) -> bool:
        """Returns False if somebody deleted the copy. The requester decides only what they may decide."""
        moved = thread.moved is not None and thread.moved.channel == posted.channel
        if not (moved and question.open) or await self._direct.requester_decides(thread, question):
            return await self._sender.rewrite(thread, question, posted)
        card = await self._builder.card(thread.run, question)
        return await thread.rewrite_one(posted, question_messages.read_only(card, self._limits))

    async def remind(self, thread: RunThread, question_id: str, seq: int) -> None:
        """Remind once, wherever the question was asked."""
        question = await self._question(thread, question_id)
        name = keys.reminder(seq)
        if question is None or not question.open or name in thread.messages:
            return
        await self._rewrite_all(thread, question)  # So that the reminder leads to a message that is there.
        posted = thread.named(question_message(question_id))
        link = await self._links.address(posted[-1]) if posted else None
        message = question_messages.reminder(await self._builder.card(thread.run, question), link)
        await self._direct.remind(thread, question_id, message, name)
        await thread.post(message, name=name)

    async def _question(self, thread: RunThread, question_id: str) -> Question | None:
        try:
            return await self._store.questions.get(thread.run.id, question_id)
        except NotFound:
            return None
