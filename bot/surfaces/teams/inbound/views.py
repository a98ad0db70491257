"""A question's card as one person sees it: deciders see what can be pressed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from bot.core.actor import Actor
from bot.core.errors import NotFound
from bot.core.policy import can_decide
from bot.core.ports import Store
from bot.core.run import Run
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.delivery.shown_questions import ShownQuestions
from bot.surfaces.chat.inbound.commands import can_view
from bot.surfaces.chat.message_keys import Posted, questions_at
from bot.surfaces.chat.messages import Actions, Message
from bot.surfaces.chat.rendering import offload, size_of
from bot.surfaces.teams import SURFACE
from bot.surfaces.teams.renderer import LIMITS, Reader, render_card

Json = dict[str, Any]


class Readers(Protocol):
    """Who is who in a conversation."""

    async def reader(self, message: Message, channel: str, alone: str) -> Reader:
        """For whom a message is rendered that one person of this conversation sees alone."""


class QuestionViews:
    """Cards of questions for one reader. Reads only: whoever looks changes nothing."""

    def __init__(self, store: Store, readers: Readers) -> None:
        self._store = store
        self._readers = readers
        self._shown = ShownQuestions(store, LIMITS)

    async def of(
        self, target: Target, actor: Actor, channel: str, posted: Posted | None = None
    ) -> Json | None:
        """The question as it is now, with those that share the message at `posted`.

        None if there is none, or none that this person may see. `actor`: with what the directory knows of
        them.
        """
        try:
            run = await self._store.runs.get(target.run_id)
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return None
        names = (await self._store.outbox.state(SURFACE, run.id)).messages
        sharing = questions_at(names, posted) if posted is not None else set()
        asked = await self._store.questions.list(run.id) if len(sharing) > 1 else [question]
        shown = [each for each in asked if each.id in sharing | {question.id}]
        decides = {each.id for each in shown if can_decide(actor, each.policy)}
        sees = _sees(run, actor, channel)
        if not decides and not sees:
            return None
        message = await self._shown.message(run, question, names, posted, None if sees else decides)
        if decides:
            message = _for_everybody(message)
        reader = await self._readers.reader(message, channel, actor.principal)
        return await offload(lambda: render_card(message, reader), size_of(question_card(run, question)))


def _for_everybody(message: Message) -> Message:
    """The message with all that can be pressed: whoever reads it may, also as a linked identity."""
    rows = (replace(each, audience=None) if isinstance(each, Actions) else each for each in message.blocks)
    return replace(message, blocks=tuple(rows))


def _sees(run: Run, actor: Actor, channel: str) -> bool:
    return actor.membership in run.approvers.allowed_memberships and can_view(run, actor, channel)
