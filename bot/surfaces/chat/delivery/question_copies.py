"""The messages that show one question, wherever they are: posted completely, and rewritten as it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.text import visible
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.delivery.shown_questions import ShownQuestions
from bot.surfaces.chat.delivery.thread import RunMessages
from bot.surfaces.chat.failures import PlatformFailure, Unrenderable
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.chat.messages import Limits, Message
from bot.surfaces.chat.places import Conversation
from bot.surfaces.chat.platform import Priority
from bot.surfaces.chat.rendering import offload, open_message, settled_message, size_of
from bot.surfaces.chat.wording import question_messages, run_messages
from bot.surfaces.chat.wording.question_messages import Fit

log = structlog.get_logger(__name__)

Change = Callable[[Message], Message]
"""What is different in a message where it is posted."""


def unchanged(message: Message) -> Message:
    """The message as it is."""
    return message


class QuestionCopies:
    """Posts and rewrites copies. Raises Later, Rejected, ShutOut, Superseded, StoreUnavailable."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._limits = limits
        self.shown = ShownQuestions(store, limits)

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
                to, change(message), name=name, notes=_digest(card), priority=Priority.DECISION
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
        beside: Posted,
        change: Change = unchanged,
        only: Collection[str] | None = None,
    ) -> bool:
        """Add a question to the message of others; False if that message can't be edited."""
        names = {**messages.messages, name: beside.encode()}
        message = await self.shown.message(messages.run, question, names, beside, only)
        if not await messages.replace(beside, change(message)):
            return False
        # Recorded once it is shown: whoever repeats this shows it again.
        await messages.note(keys.shown_digest(question.id), question.digest)
        await messages.note(name, beside.encode())
        return True

    async def rewrite(
        self,
        messages: RunMessages,
        question: Question,
        posted: Posted,
        change: Change = unchanged,
        only: Collection[str] | None = None,
    ) -> bool:
        """Show in a copy what the store has now, to somebody who may see `only` these of its questions.

        Returns False if somebody deleted the copy.
        """
        message = await self.shown.message(messages.run, question, messages.messages, posted, only)
        otherwise = None
        if question.open:
            card = await self.shown.card(messages.run, question)
            otherwise = change(await open_message(card, self._limits, words=True))
        return await messages.rewrite_one(posted, change(message), Priority.DECISION, otherwise)

    async def upload_if_long(self, messages: RunMessages, card: QuestionCard, to: Conversation) -> None:
        """Post all that is to be decided as a file where neither a message nor a form holds it."""
        if await offload(lambda: question_messages.fit(card, self._limits), size_of(card)) is Fit.FILE:
            await self._upload(messages, card, to)

    async def _post_as_text(
        self, messages: RunMessages, card: QuestionCard, name: str, to: Conversation, change: Change
    ) -> None:
        await messages.note(keys.asked_in_words(card.question_id), "posted")
        await self._upload(messages, card, to)
        message = change(await open_message(card, self._limits, words=True))
        await messages.post_to(to, message, name=name, notes=_digest(card), priority=Priority.DECISION)

    async def _upload(self, messages: RunMessages, card: QuestionCard, to: Conversation) -> None:
        """Once in each conversation; again once it was edited."""
        file_name = run_messages.file_name(card.title, card.run_id, "question")
        text = question_messages.full_text(card, self._limits)
        shown = await offload(lambda: visible(text), len(text))
        version = f"{card.question_id}:{card.digest}" if card.edited else card.question_id
        name = keys.file_of(version, to.channel)
        await messages.upload_to(to, file_name, shown, "The whole question", name=name)


def _digest(card: QuestionCard) -> dict[str, str]:
    """What is recorded with a question, so that a reply in words is held to what was shown."""
    return {keys.shown_digest(card.question_id): card.digest}
