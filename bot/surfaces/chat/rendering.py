"""A run and its questions as messages: long texts in a thread, and plain text where rendering fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import structlog

from bot.core.ports.store import Store
from bot.core.runs.run import Run
from bot.surfaces.chat import cards
from bot.surfaces.chat.cards import QuestionCard, RunCard
from bot.surfaces.chat.messages import Limits, Message
from bot.surfaces.chat.wording import gates, outcomes, question_messages, run_messages

log = structlog.get_logger(__name__)

T = TypeVar("T")

PAGE_SIZE = 1000
"""Events of a run that are read at once."""
MAX_CHARACTERS_ON_LOOP = 4000
"""A text of so many characters is rendered in about a millisecond; a longer one is rendered in a thread."""


async def offload(make: Callable[[], T], size: int) -> T:
    """The result of `make`, which runs in a thread if the text is long, so as not to block the loop."""
    return await asyncio.to_thread(make) if size > MAX_CHARACTERS_ON_LOOP else make()


async def rendered(
    render: Callable[[], Message], fallback: Message, *, run_id: str, size: int = 0
) -> Message:
    """What `render` makes; the fallback if it fails, since it would fail the next time as well."""
    try:
        return await offload(render, size)
    except Exception:
        log.exception("a message can't be rendered; plain text is shown instead", run_id=run_id)
        return fallback


async def run_card(store: Store, run: Run) -> RunCard:
    """A run's card, made of all of its events."""
    so_far, asked, paused = await asyncio.gather(
        _progress(store, run.id), store.questions.list(run.id), _pause_reason(store, run)
    )
    return cards.run_card(run, so_far, asked, paused)


async def _progress(store: Store, run_id: str) -> cards.Progress:
    so_far, seq = cards.Progress(), 0
    while page := await store.events.read(run_id, seq, PAGE_SIZE):
        for event in page:
            so_far = so_far.after(event)
        seq = page[-1].seq
        if len(page) < PAGE_SIZE:
            break
    return so_far


async def _pause_reason(store: Store, run: Run) -> str | None:
    if run.place is None or run.status.over:
        return None
    return await store.runs.pause_reason(run.place.tenant)


async def progress_message(card: RunCard) -> Message:
    """A run's progress, whatever is in it."""
    fallback = run_messages.fallback(card.run_id, card.status)
    size = sum(len(value) for _, value in card.inputs)
    return await rendered(lambda: run_messages.progress(card), fallback, run_id=card.run_id, size=size)


async def settled_message(card: QuestionCard, limits: Limits) -> Message:
    """A settled question, whatever is in it."""
    fallback = question_messages.fallback(card.run_id)
    return await rendered(
        lambda: outcomes.settled(card, limits), fallback, run_id=card.run_id, size=size_of(card)
    )


async def open_message(card: QuestionCard, limits: Limits, *, words: bool) -> Message:
    """An open question, whatever is in it; as text alone with `words`."""
    render = question_messages.in_words if words else question_messages.ask
    fallback = question_messages.fallback(card.run_id)
    return await rendered(lambda: render(card, limits), fallback, run_id=card.run_id, size=size_of(card))


def size_of(card: QuestionCard) -> int:
    """Characters to be rendered."""
    called = len(gates.as_text(card.call)) if card.call is not None else 0
    return len(card.prompt) + len(card.context) + called + sum(len(option.label) for option in card.options)
