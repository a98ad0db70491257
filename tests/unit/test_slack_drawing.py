"""Drawing: long texts don't hold up the event loop, and a card that fails is plain text."""

from __future__ import annotations

import threading

from bot.surfaces.chat.delivery.drawing import LONG, drawn, off_the_loop
from bot.surfaces.slack.cards import asking
from bot.surfaces.slack.cards.runcard import Message

PLAINLY = asking.bare("6f2b7c0e")


async def test_only_long_texts_are_worked_on_in_a_thread() -> None:
    here = threading.get_ident()
    assert await off_the_loop(threading.get_ident, LONG) == here
    assert await off_the_loop(threading.get_ident, LONG + 1) != here


async def test_a_card_that_fails_is_shown_as_plain_text() -> None:
    def fails() -> Message:
        raise ZeroDivisionError

    assert await drawn(fails, PLAINLY, run_id="6f2b7c0e") is PLAINLY
    assert await drawn(fails, PLAINLY, run_id="6f2b7c0e", size=LONG + 1) is PLAINLY
    assert await drawn(lambda: Message("fine"), PLAINLY, run_id="6f2b7c0e") == Message("fine")
