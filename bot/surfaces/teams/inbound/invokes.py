"""Answers to invokes: a card, a few words or a dialog; never nothing, which Teams shows as a fault.

A question's card is made for who asks for it: deciders see what can be pressed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from bot.core.errors import CrewdeckError, NotFound
from bot.core.people.actor import Actor
from bot.core.people.policy import can_decide
from bot.core.ports.store import Store
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.delivery.question_sender import QuestionMessageBuilder
from bot.surfaces.chat.inbound.commands import can_view_questions_from
from bot.surfaces.chat.inbound.ports import Reply
from bot.surfaces.chat.message_keys import questions_at
from bot.surfaces.chat.messages import Actions, Form, Message
from bot.surfaces.chat.places import MessageRef
from bot.surfaces.chat.rendering import offload, size_of
from bot.surfaces.chat.wording import sentences
from bot.surfaces.teams import SURFACE
from bot.surfaces.teams.renderer import LIMITS, Reader, render_card, render_form
from bot.surfaces.teams.renderer.render import CARD
from bot.surfaces.teams.renderer.text import plain_text

Json = dict[str, Any]

TOAST_UNITS = 300
"""A longer text is told in a message."""
ACCEPTED: Json = {"statusCode": 200}
"""The answer to an invoke of which nothing is shown."""
_MESSAGE = "application/vnd.microsoft.activity.message"


def card(content: Json) -> Json:
    """In place of the card that was pressed on, for this person alone."""
    return {"statusCode": 200, "type": CARD, "value": content}


def text_response(text: str) -> Json:
    """A few words above the card."""
    return {"statusCode": 200, "type": _MESSAGE, "value": text}


def dialog(form: Form) -> Json:
    """A dialog, or what it shows next."""
    attachment = {"contentType": CARD, "content": render_form(form)}
    shown = {"title": form.title, "height": "large", "width": "large", "card": attachment}
    return {"task": {"type": "continue", "value": shown}}


def dialog_text(text: str) -> Json:
    """A few words in the dialog, which the person then closes."""
    return {"task": {"type": "message", "value": text}}


class PressAnswer:
    """The answer to a press on a card: what went wrong in a few words, or the card as it is now."""

    def __init__(self, current: Callable[[], Awaitable[Json | None]]) -> None:
        self._current = current
        self.body: Json = text_response(sentences.LATER)

    async def __call__(self, reply: Reply) -> Reply:
        """The port `Acknowledge`: answer with this reply; returns what is left to be said."""
        if reply.say is None:
            self.body = await self._shown()
            return reply
        if (text := _short(reply.say)) is None:
            self.body = text_response(sentences.TOLD_PRIVATELY)
            return reply
        self.body = text_response(text)
        return replace(reply, say=None)

    async def _shown(self) -> Json:
        try:
            shown = await self._current()
        except CrewdeckError:
            shown = None  # The press was handled, and everybody's card will show it.
        return card(shown) if shown else text_response(sentences.DONE)


async def _no_form(_errors: Mapping[str, str]) -> Form | None:
    return None


class DialogAnswer:
    """The answer to what opens or submits a dialog."""

    def __init__(self, again: Callable[[Mapping[str, str]], Awaitable[Form | None]] = _no_form) -> None:
        """`again` renders the submitted form with its errors."""
        self._again = again
        self.body: Json = dialog_text(sentences.LATER)

    async def __call__(self, reply: Reply) -> Reply:
        """The port `Acknowledge`: answer with this reply; returns what is left to be said."""
        if reply.errors:
            form = await self._again(reply.errors)
            self.body = dialog(form) if form else dialog_text(" ".join(reply.errors.values()))
            return Reply()
        if reply.form is not None:
            self.body = dialog(reply.form)
            return replace(reply, form=None, fallback=None)
        if reply.say is None:
            self.body = dialog_text(sentences.FORM_SENT)
            return reply
        text = _short(reply.say)
        self.body = dialog_text(text or sentences.TOLD_PRIVATELY)
        return replace(reply, say=None) if text else reply


def _short(message: Message) -> str | None:
    """A message in a few words; None if they don't say all of it."""
    text = plain_text(message.summary, {})
    has_buttons = any(isinstance(block, Actions) for block in message.blocks)
    return None if has_buttons or len(message.blocks) > 1 or len(text) > TOAST_UNITS else text


class Readers(Protocol):
    """Who is who in a conversation."""

    async def reader(self, message: Message, channel: str, alone: str) -> Reader:
        """For whom a message is rendered that one person of this conversation sees alone."""


class PersonalCards:
    """Cards of questions for one reader. Reads only: whoever looks changes nothing."""

    def __init__(self, store: Store, readers: Readers) -> None:
        self._store = store
        self._readers = readers
        self._builder = QuestionMessageBuilder(store, LIMITS)

    async def of(
        self, target: Target, actor: Actor, channel: str, posted: MessageRef | None = None
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
        sees = can_view_questions_from(run, actor, channel)
        if not decides and not sees:
            return None
        message = await self._builder.message(run, question, names, posted, None if sees else decides)
        if decides:
            message = message.for_everybody()
        reader = await self._readers.reader(message, channel, actor.principal)
        return await offload(lambda: render_card(message, reader), size_of(question_card(run, question)))
