"""What a message with questions shows: one question, or the approvals that share the message."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bot.core.ports import Store
from bot.core.question import Question, QuestionKind
from bot.core.run import Run
from bot.surfaces.chat.cards import QuestionCard, question_card
from bot.surfaces.chat.message_keys import (
    Posted,
    asked_in_words,
    direct_question,
    question_message,
    question_of,
    questions_at,
)
from bot.surfaces.chat.messages import Limits, Message
from bot.surfaces.chat.rendering import open_message, rendered, settled_message, size_of
from bot.surfaces.chat.wording import batches, policies, question_messages

BATCH_WINDOW_MS = 60_000
"""Approvals that are asked for within this time share a message: those of one turn."""


class ShownQuestions:
    """Makes the messages of a run's questions from what the store has now."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    async def card(self, run: Run, question: Question) -> QuestionCard:
        """The question's card, with who edited it if somebody did."""
        card = question_card(run, question)
        if not card.edited:
            return card
        return question_card(run, question, await self._store.questions.responses(run.id, question.id))

    async def message(
        self,
        run: Run,
        question: Question,
        names: Mapping[str, str],
        posted: Posted | None = None,
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
        """These approvals in one message."""
        asked = [each for each in await self._store.questions.list(run.id) if each.id in question_ids]
        cards = [await self.card(run, each) for each in asked]
        return await rendered(
            lambda: batches.batch(cards, self._limits),
            question_messages.bare(run.id),
            run_id=run.id,
            size=sum(map(size_of, cards)),
        )

    async def joinable(
        self, run: Run, question: Question, names: Mapping[str, str], user_id: str = ""
    ) -> Posted | None:
        """The message of the same turn's other approvals that this one may join.

        It is in the run's thread, or a direct message to `user_id`. Everybody whom the policy names is
        mentioned there already, since an edit tells nobody.
        """
        if question.kind is not QuestionKind.APPROVAL:
            return None
        asked = {each.id: each for each in await self._store.questions.list(run.id)}
        for name, ref in names.items():
            about = question_of(name)
            there = direct_question(about, user_id) if user_id else question_message(about)
            other = asked.get(about) if name == there else None
            if other is None or other.id == question.id or not _same_turn(other, question):
                continue
            sharing = questions_at(names, Posted.decode(ref))
            if len(sharing) < batches.MAX_QUESTIONS and asked_in_words(other.id) not in names:
                return Posted.decode(ref)
        return None


def _same_turn(other: Question, question: Question) -> bool:
    return (
        other.open
        and other.kind is QuestionKind.APPROVAL
        and other.task_id == question.task_id
        and abs(question.created_at - other.created_at) <= BATCH_WINDOW_MS
        and policies.mentions(question.policy) <= policies.mentions(other.policy)
    )
