"""Drawing: long texts don't hold up the event loop, and a card that fails is plain text."""

from __future__ import annotations

import threading

from bot.surfaces.chat.messages import Message, text_message
from bot.surfaces.chat.rendering import MAX_CHARACTERS_ON_LOOP, offload, rendered
from bot.surfaces.chat.wording import question_messages

FALLBACK = question_messages.fallback("6f2b7c0e")


async def test_only_long_texts_are_worked_on_in_a_thread() -> None:
    here = threading.get_ident()
    assert await offload(threading.get_ident, MAX_CHARACTERS_ON_LOOP) == here
    assert await offload(threading.get_ident, MAX_CHARACTERS_ON_LOOP + 1) != here


async def test_a_card_that_fails_is_shown_as_plain_text() -> None:
    def fails() -> Message:
        raise ZeroDivisionError

    assert await rendered(fails, FALLBACK, run_id="6f2b7c0e") is FALLBACK
    assert await rendered(fails, FALLBACK, run_id="6f2b7c0e", size=MAX_CHARACTERS_ON_LOOP + 1) is FALLBACK
    assert await rendered(lambda: text_message("fine"), FALLBACK, run_id="6f2b7c0e") == text_message("fine")
