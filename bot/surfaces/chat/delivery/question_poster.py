"""Posting questions into the threads of their runs, and rewriting every copy when something changes."""

from __future__ import annotations

import structlog

from bot.core.errors import NotFound
from bot.core.event import HumanInputRecorded
from bot.core.ports import Store
from bot.core.question import Question
from bot.metrics import Metrics
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.delivery.direct import DirectQuestions
from bot.surfaces.chat.delivery.links import Links
from bot.surfaces.chat.delivery.question_copies import QuestionCopies
from bot.surfaces.chat.delivery.thread import RunThread
from bot.surfaces.chat.failures import Rejected, ShutOut
from bot.surfaces.chat.message_keys import Posted, question_message, untold, untold_in
from bot.surfaces.chat.places import Conversation
from bot.surfaces.chat.platform import ChatPlatform
from bot.surfaces.chat.rendering import settled_message
from bot.surfaces.chat.wording import question_messages

log = structlog.get_logger(__name__)


class QuestionPoster:
    """Shows questions. Raises Later, Rejected, ShutOut, Superseded, StoreUnavailable."""

    def __init__(self, store: Store, platform: ChatPlatform, links: Links, metrics: Metrics) -> None:
        self._store = store
        self._platform = platform
        self._limits = platform.capabilities.limits
        self._links = links
        self._copies = QuestionCopies(store, self._limits)
        self._shown = self._copies.shown
        self._direct = DirectQuestions(store, platform, metrics, self._copies)

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
            if thread.messages.get(untold(question_id)):
                await thread.note(untold(question_id), "")

    async def _ask_in_thread(self, thread: RunThread, question: Question, name: str) -> None:
        beside = await self._shown.joinable(thread.run, question, thread.messages) if question.open else None
        if beside is None or not await self._copies.join(thread, question, name, beside):
            card = await self._shown.card(thread.run, question)
            await self._copies.post(thread, card, name, thread.conversation)

    async def ask_directly(self, thread: RunThread) -> None:
        """Ask all open questions in direct messages."""
        for question in await self._store.questions.list(thread.run.id):
            if question.open:
                await self._direct.ask(thread, question)

    async def retry_untold(self, thread: RunThread) -> None:
        """Ask again the questions of which nobody could be told."""
        for question_id in untold_in(thread.messages):
            question = await self._question(thread, question_id)
            if question is None or not question.open:
                continue
            try:
                await self.ask(thread, question_id)
            except ShutOut:
                raise
            except Rejected as rejected:
                log.info(
                    "a run's thread can still not be posted to", run_id=thread.run.id, code=rejected.code
                )
            if untold_in(thread.messages).get(question_id):
                await self._direct.ask(thread, question)

    # ── what changes ────────────────────────────────────────────────────────────────────────────────────

    async def show_progress(self, thread: RunThread, recorded: HumanInputRecorded, seq: int) -> None:
        """Show on every copy how far the decision is; tell everybody of an edit."""
        question = await self._question(thread, recorded.question_id)
        if question is None or not question.open:
            return
        card = await self._shown.card(thread.run, question)
        for conversation in self._conversations(thread, question.id):
            await self._copies.upload_if_long(thread, card, conversation)
        await self._rewrite_all(thread, question)
        await thread.note(keys.shown_digest(question.id), question.digest)
        if recorded.arguments is not None or recorded.value is not None:
            await self._tell_of_edit(thread, card, seq)

    def _conversations(self, thread: RunThread, question_id: str) -> list[Conversation]:
        """The run's thread, and the direct messages in which the question was asked."""
        messages = thread.messages.items()
        direct = (ref for name, ref in messages if keys.is_direct(name, question_id))
        return [thread.conversation, *(self._platform.thread_of(Posted.decode(ref)) for ref in direct)]

    async def _tell_of_edit(self, thread: RunThread, card: QuestionCard, seq: int) -> None:
        name = keys.edit_message(seq)
        if name not in thread.messages:
            posted = thread.named(question_message(card.question_id))
            link = await self._links.to(posted[-1]) if posted else None
            await thread.post(question_messages.edited(card, link), name=name)

    async def settle(self, thread: RunThread, question_id: str) -> None:
        """Show a question's outcome on every copy."""
        question = await self._question(thread, question_id)
        if question is None or question.open:
            return
        if thread.named(question_message(question_id)):
            await self._rewrite_all(thread, question)
        else:
            card = await self._shown.card(thread.run, question)
            await thread.post(await settled_message(card, self._limits), name=question_message(question_id))

    async def _rewrite_all(self, thread: RunThread, question: Question) -> None:
        """Every copy. If somebody deleted the one in the thread, the question is posted there anew."""
        name = question_message(question.id)
        in_thread = thread.messages.get(name)
        for posted in thread.named(name):
            there = await self._copies.rewrite(thread, question, posted)
            if not there and posted.encode() == in_thread and thread.moved is None:
                card = await self._shown.card(thread.run, question)
                await self._copies.post(thread, card, name, thread.conversation)

    async def remind(self, thread: RunThread, question_id: str, seq: int) -> None:
        """Remind once, wherever the question was asked."""
        question = await self._question(thread, question_id)
        name, sent_directly = keys.reminder(seq), keys.direct_reminders(seq)
        if question is None or not question.open or name in thread.messages:
            return
        await self._rewrite_all(thread, question)  # So that the reminder leads to a message that is there.
        posted = thread.named(question_message(question_id))
        link = await self._links.to(posted[-1]) if posted else None
        message = question_messages.reminder(await self._shown.card(thread.run, question), link)
        if sent_directly not in thread.messages:
            await self._direct.remind(thread, question_id, message)
            await thread.note(sent_directly, "posted")
        await thread.post(message, name=name)

    async def _question(self, thread: RunThread, question_id: str) -> Question | None:
        try:
            return await self._store.questions.get(thread.run.id, question_id)
        except NotFound:
            return None
