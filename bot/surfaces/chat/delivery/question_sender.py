"""The messages that show a question, or approvals together: posted completely, rewritten as they stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.store import Store
from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.run import Run
from bot.core.text import visible
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.cards import QuestionCard, question_card
from bot.surfaces.chat.delivery.thread import RunMessages
from bot.surfaces.chat.failures import PlatformFailure, Unrenderable
from bot.surfaces.chat.message_keys import (
    asked_in_words,
    direct_question,
    question_message,
    question_of,
    questions_at,
)
from bot.surfaces.chat.messages import Limits, Message
from bot.surfaces.chat.places import Conversation, MessageRef
from bot.surfaces.chat.platform import Priority
from bot.surfaces.chat.rendering import offload, open_message, rendered, settled_message, size_of
from bot.surfaces.chat.wording import batches, policies, question_messages, run_messages
from bot.surfaces.chat.wording.question_messages import ReadableIn

log = structlog.get_logger(__name__)

BATCH_WINDOW_MS = 60_000
"""Approvals that are asked for within this time share a message: those of one turn."""


class QuestionMessageBuilder:
    """Builds the messages of a run's questions from what the store has now."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    async def card(self, run: Run, question: Question) -> QuestionCard:
        """The question's card, with who edited it if somebody did."""
        card = question_card(run, question)
        if not card.edited:
            return card
        return question_card(run, question, await self._store.questions.responses(run.id, question.id))

    async def takes_file(self, card: QuestionCard) -> bool:
        """Whether the question fits neither a message nor a form."""
        return (
            await offload(lambda: question_messages.readable_in(card, self._limits), size_of(card))
            is ReadableIn.FILE
        )

    async def message(
        self,
        run: Run,
        question: Question,
        names: Mapping[str, str],
        posted: MessageRef | None = None,
        only: Collection[str] | None = None,
    ) -> Message:
        """What the message at `posted` shows by now, to somebody who may see `only` these of its questions.

        `names`: what is recorded of the run.
        """
        sharing = questions_at(names, posted) if posted is not None else set()
        if len(sharing) > 1:
            return await self.batch(run, sharing if only is None else sharing.intersection(only))
        card = await self.card(run, question)
        if not card.open:
            return await settled_message(card, self._limits)
        return await open_message(card, self._limits, words=asked_in_words(question.id) in names)

    async def batch(self, run: Run, question_ids: Collection[str]) -> Message:
        """One message with all of these approvals."""
        asked = [each for each in await self._store.questions.list(run.id) if each.id in question_ids]
        cards = [await self.card(run, each) for each in asked]
        return await rendered(
            lambda: batches.batch(cards, self._limits),
            question_messages.fallback(run.id),
            run_id=run.id,
            size=sum(map(size_of, cards)),
        )

    async def joinable(
        self, run: Run, question: Question, names: Mapping[str, str], user_id: str = ""
    ) -> MessageRef | None:
        """The message of the same turn's other approvals that this one may join.

        It is in the run's thread, or a direct message to `user_id`. Everybody whom the policy names is
        mentioned there already, since an edit tells nobody.
        """
        if question.kind is not QuestionKind.APPROVAL or await self.takes_file(question_card(run, question)):
            return None  # With a message of its own comes the file that has all of it.
        asked = {each.id: each for each in await self._store.questions.list(run.id)}
        for name, ref in names.items():
            about = question_of(name)
            there = direct_question(about, user_id) if user_id else question_message(about)
            other = asked.get(about) if name == there else None
            if other is None or other.id == question.id or not _same_turn(other, question):
                continue
            sharing = questions_at(names, MessageRef.decode(ref))
            if len(sharing) < batches.MAX_QUESTIONS and asked_in_words(other.id) not in names:
                return MessageRef.decode(ref)
        return None


def _same_turn(other: Question, question: Question) -> bool:
    return (
        other.open
        and other.kind is QuestionKind.APPROVAL
        and other.task_id == question.task_id
        and abs(question.created_at - other.created_at) <= BATCH_WINDOW_MS
        and policies.mentions(question.policy) <= policies.mentions(other.policy)
    )


Change = Callable[[Message], Message]
"""What one place changes in the message that is posted there."""


def unchanged(message: Message) -> Message:
    """The message as it is."""
    return message


class QuestionSender:
    """Posts and edits the messages that show a question: one in its thread, or one for each decider.

    Raises RetryLater, Rejected, CredentialsRefused, ShardLeaseLost, StoreUnavailable.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self._limits = limits
        self.builder = QuestionMessageBuilder(store, limits)

    async def post(
        self,
        messages: RunMessages,
        card: QuestionCard,
        name: str,
        to: Conversation,
        change: Change = unchanged,
    ) -> None:
        """Post a copy under this name; as text where its blocks can't be shown."""
        if not card.open:
            settled = await settled_message(card, self._limits)
            await messages.post_to(to, change(settled), name=name)
            return
        try:
            await self.upload_if_long(messages, card, to)
            message = await offload(lambda: question_messages.ask(card, self._limits), size_of(card))
        except (PlatformFailure, StoreUnavailable):
            raise
        except Exception:
            log.exception("a question can't be rendered; asking as text", run_id=card.run_id)
            await self._post_as_text(messages, card, name, to, change)
            return
        try:
            await messages.post_to(
                to, change(message), name=name, records=_digest(card), priority=Priority.DECISION
            )
        except Unrenderable as refused:
            log.warning(
                "a question's message is refused; asking as text", run_id=card.run_id, code=refused.code
            )
            await self._post_as_text(messages, card, name, to, change)

    async def join(
        self,
        messages: RunMessages,
        question: Question,
        name: str,
        beside: MessageRef,
        change: Change = unchanged,
        only: Collection[str] | None = None,
    ) -> bool:
        """Add a question to the message of others; False if that message can't be edited."""
        # Recorded before: somebody may look at the message, or press in it, at once.
        joining = keys.joining(name)
        await messages.record(joining, beside.encode())
        message = await self.builder.message(messages.run, question, messages.messages, beside, only)
        joined = await messages.replace(beside, change(message))
        # Recorded again once it is shown: whoever repeats this shows it again.
        shown = {name: beside.encode(), keys.shown_digest(question.id): question.digest} if joined else {}
        await messages.record_all({joining: "", **shown})
        return joined

    async def rewrite(
        self,
        messages: RunMessages,
        question: Question,
        posted: MessageRef,
        change: Change = unchanged,
        only: Collection[str] | None = None,
    ) -> bool:
        """Show in a copy what the store has now, to somebody who may see `only` these of its questions.

        Returns False if somebody deleted the copy.
        """
        message = await self.builder.message(messages.run, question, messages.messages, posted, only)
        otherwise = None
        if question.open:
            card = await self.builder.card(messages.run, question)
            otherwise = change(await open_message(card, self._limits, words=True))
        return await messages.rewrite_one(posted, change(message), Priority.DECISION, otherwise)

    async def upload_if_long(self, messages: RunMessages, card: QuestionCard, to: Conversation) -> None:
        """Post the whole question as a file if it fits neither a message nor a form."""
        if await self.builder.takes_file(card):
            await self._upload(messages, card, to)

    async def _post_as_text(
        self, messages: RunMessages, card: QuestionCard, name: str, to: Conversation, change: Change
    ) -> None:
        await messages.record(keys.asked_in_words(card.question_id), "posted")
        await self._upload(messages, card, to)
        message = change(await open_message(card, self._limits, words=True))
        await messages.post_to(to, message, name=name, records=_digest(card), priority=Priority.DECISION)

    async def _upload(self, messages: RunMessages, card: QuestionCard, to: Conversation) -> None:
        """Upload the question once to each conversation, and again after an edit."""
        file_name = run_messages.file_name(card.title, card.run_id, "question")
        text = question_messages.full_text(card, self._limits)
        shown = await offload(lambda: visible(text), len(text))
        version = f"{card.question_id}:{card.digest}" if card.edited else card.question_id
        name = keys.file_of(version, to.channel)
        await messages.upload_to(to, file_name, shown, "The whole question", name=name)


def _digest(card: QuestionCard) -> dict[str, str]:
    """What is recorded with a question, so that a reply in words is held to what was shown."""
    return {keys.shown_digest(card.question_id): card.digest}
