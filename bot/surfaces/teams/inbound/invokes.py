"""Answers to invokes: a card, a few words or a dialog; never nothing, which Teams shows as a fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.core.errors import CrewdeckError
from bot.surfaces.chat.inbound.interactions import Reply
from bot.surfaces.chat.messages import Actions, Form, Message
from bot.surfaces.chat.wording import sentences
from bot.surfaces.teams.renderer import render_form
from bot.surfaces.teams.renderer.render import CARD
from bot.surfaces.teams.renderer.text import plain_line

Json = dict[str, Any]

TOAST_UNITS = 300
"""A longer text is told in a message."""
ACCEPTED: Json = {"statusCode": 200}
"""The answer to an invoke of which nothing is shown."""
_MESSAGE = "application/vnd.microsoft.activity.message"


def card(content: Json) -> Json:
    """In place of the card that was pressed on, for this person alone."""
    return {"statusCode": 200, "type": CARD, "value": content}


def words(text: str) -> Json:
    """A few words above the card."""
    return {"statusCode": 200, "type": _MESSAGE, "value": text}


def dialog(form: Form) -> Json:
    """A dialog, or what it shows next."""
    attachment = {"contentType": CARD, "content": render_form(form)}
    shown = {"title": form.title, "height": "large", "width": "large", "card": attachment}
    return {"task": {"type": "continue", "value": shown}}


def dialog_words(text: str) -> Json:
    """A few words in the dialog, which the person then closes."""
    return {"task": {"type": "message", "value": text}}


class PressAnswer:
    """The answer to a press on a card: what went wrong in a few words, or the card as it is now."""

    def __init__(self, current: Callable[[], Awaitable[Json | None]]) -> None:
        self._current = current
        self.body: Json = words(sentences.LATER)

    async def __call__(self, reply: Reply) -> Reply:
        """`Acknowledge`."""
        if reply.say is None:
            self.body = await self._shown()
            return reply
        if (text := _short(reply.say)) is None:
            self.body = words(sentences.TOLD_PRIVATELY)
            return reply
        self.body = words(text)
        return replace(reply, say=None)

    async def _shown(self) -> Json:
        try:
            shown = await self._current()
        except CrewdeckError:
            shown = None  # The press was handled, and everybody's card will show it.
        return card(shown) if shown else words(sentences.DONE)


async def _no_form(_errors: Mapping[str, str]) -> Form | None:
    return None


class DialogAnswer:
    """The answer to what opens or submits a dialog."""

    def __init__(self, again: Callable[[Mapping[str, str]], Awaitable[Form | None]] = _no_form) -> None:
        """`again` makes the submitted form once more, with what is wrong."""
        self._again = again
        self.body: Json = dialog_words(sentences.LATER)

    async def __call__(self, reply: Reply) -> Reply:
        """`Acknowledge`."""
        if reply.errors:
            form = await self._again(reply.errors)
            self.body = dialog(form) if form else dialog_words(" ".join(reply.errors.values()))
            return Reply()
        if reply.form is not None:
            self.body = dialog(reply.form)
            return replace(reply, form=None, instead=None)
        if reply.say is None:
            self.body = dialog_words(sentences.FORM_SENT)
            return reply
        text = _short(reply.say)
        self.body = dialog_words(text or sentences.TOLD_PRIVATELY)
        return replace(reply, say=None) if text else reply


def _short(message: Message) -> str | None:
    """A message in a few words; None if they don't say all of it."""
    text = plain_line(message.summary, {})
    has_buttons = any(isinstance(block, Actions) for block in message.blocks)
    return None if has_buttons or len(message.blocks) > 1 or len(text) > TOAST_UNITS else text
