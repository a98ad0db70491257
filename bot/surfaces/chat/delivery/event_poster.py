"""Telling a thread what happened in its run: event by event, in order, each recorded once it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import structlog

from bot.core.errors import NotFound, StoreUnavailable
from bot.core.event import (
    Event,
    HumanInputCompleted,
    HumanInputReminded,
    HumanInputRequired,
    RunCancelled,
    RunChanged,
    RunCompleted,
    RunFailed,
    RunStarted,
    TaskCompleted,
    TaskStarted,
    Unknown,
)
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.run import Run
from bot.core.text import visible
from bot.surfaces.chat import cards
from bot.surfaces.chat.cards import QuestionCard, RunCard
from bot.surfaces.chat.delivery.direct import Direct
from bot.surfaces.chat.delivery.drawing import Made, drawn, off_the_loop
from bot.surfaces.chat.delivery.thread import Thread
from bot.surfaces.chat.message_keys import (
    MOVED,
    asked_in_words,
    question_copy,
    shown_digest,
    untold,
    untold_in,
)
from bot.surfaces.slack.cards import asking, runcard
from bot.surfaces.slack.cards.asking import Fit
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.place import SURFACE, SlackPlace
from bot.surfaces.slack.webapi.api import SlackApi
from bot.surfaces.slack.webapi.failures import SHUT_OUT, Rejected, SlackFailure, Unrenderable
from bot.surfaces.slack.webapi.links import Links
from bot.surfaces.slack.webapi.token_bucket import Priority

log = structlog.get_logger(__name__)

END = "end"
"""The name of the message that says how a run ended."""
IN_WORDS = "end-in-words"
"""Noted if that message is text alone, which may be cut: the whole follows as a file."""


async def run_card(store: Store, run: Run) -> RunCard:
    """A run's card, drawn from all of its events."""
    so_far, seq = cards.Progress(), 0
    while page := await store.events.read(run.id, seq):
        for event in page:
            so_far = so_far.after(event)
        seq = page[-1].seq
    paused = await store.runs.pause_reason(run.place.tenant) if run.place and not run.status.over else None
    return cards.run_card(run, so_far, await store.questions.list(run.id), paused)


async def settled(found: QuestionCard) -> Message:
    """A settled question's message, come what may."""
    plainly = asking.bare(found.run_id)
    return await drawn(lambda: asking.settled(found), plainly, run_id=found.run_id, size=_size(found))


async def progress(shown: RunCard) -> Message:
    """A run's progress message, come what may."""
    plainly = runcard.bare(shown.run_id, shown.status)
    size = sum(len(value) for _, value in shown.inputs)
    return await drawn(lambda: runcard.progress(shown), plainly, run_id=shown.run_id, size=size)


def _size(found: QuestionCard) -> int:
    return len(found.prompt) + len(found.context) + sum(len(option.label) for option in found.options)


async def _of(found: QuestionCard, make: Callable[[], Made]) -> Made:
    return await off_the_loop(make, _size(found))


class Telling:
    """Says in a run's thread what an event means for it."""

    def __init__(self, store: Store, api: SlackApi, links: Links) -> None:
        self._store = store
        self._api = api
        self._links = links
        self._direct = Direct(store, api, self._post_question)

    async def tell(self, thread: Thread, event: Event) -> None:
        """Show one event; where the thread is closed to us, in direct messages.

        Raises Later, Rejected (the workspace is closed to us), Superseded, StoreUnavailable.
        """
        try:
            await self._tell(thread, event)
        except Unrenderable as refused:
            # Nothing more can be tried, and the run must not wait for it.
            log.warning("not even text could be posted", run_id=thread.run.id, code=refused.code)
        except Rejected as rejected:
            if rejected.code in SHUT_OUT:
                raise
            await self._elsewhere(thread, event, rejected)

    async def tell_untold(self, thread: Thread) -> None:
        """Try again to tell of questions of which nobody could be told. Raises as `tell` does."""
        for question_id in untold_in(thread.copies):
            question = await self._question(thread, question_id)
            if question is None or not question.open:
                continue
            try:
                await self._ask(thread, question_id)
            except Rejected as rejected:
                if rejected.code in SHUT_OUT:
                    raise
            if untold_in(thread.copies).get(question_id):
                await self._direct.ask(thread, question)

    async def _elsewhere(self, thread: Thread, event: Event, rejected: Rejected) -> None:
        try:
            if thread.moved is not None:
                raise rejected
            await self._move(thread, rejected.code)
            await self._ask_directly(thread)
            await self._tell(thread, event)
        except Rejected as failure:
            if failure.code in SHUT_OUT:
                raise
            log.warning("a run's thread is closed", run_id=thread.run.id, seq=event.seq, code=failure.code)
            await self._ask_directly(thread)

    async def _ask_directly(self, thread: Thread) -> None:
        for question in await self._store.questions.list(thread.run.id):
            if question.open:
                await self._direct.ask(thread, question)

    async def _tell(self, thread: Thread, event: Event) -> None:
        match event.body:
            case RunStarted() | TaskStarted() | TaskCompleted() | Unknown():
                return  # These change the progress message and nothing else.
            case RunChanged() as body:
                await self._changed(thread, body.change, event.seq)
            case HumanInputRequired() as body:
                await self._ask(thread, body.question_id)
            case HumanInputCompleted() as body:
                await self._settle(thread, body.question_id)
            case HumanInputReminded() as body:
                await self._remind(thread, body.question_id, event.seq)
            case RunCompleted() as body:
                await self._completed(thread, body.result)
            case RunFailed():
                await self._end(thread, runcard.failed(await run_card(self._store, thread.run)))
            case RunCancelled():
                await self._end(thread, runcard.cancelled(await run_card(self._store, thread.run)))
            case _:
                assert_never(event.body)

    async def _changed(self, thread: Thread, change: str, seq: int) -> None:
        """Say it once."""
        name = f"changed:{seq}"
        if name not in thread.copies:
            await thread.say(runcard.changed(await run_card(self._store, thread.run), change), name=name)

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, thread: Thread, question_id: str) -> None:
        name = question_copy(question_id)
        question = await self._question(thread, question_id)
        if question is None:
            return
        if question.open and thread.moved is not None:
            await self._direct.ask(thread, question)
        elif not thread.named(name):
            await self._post_question(thread, cards.question_card(thread.run, question), name)
            if thread.copies.get(untold(question_id)):
                await thread.note(untold(question_id), "")

    async def _post_question(
        self, thread: Thread, found: QuestionCard, name: str, direct: str | None = None
    ) -> None:
        if not found.open:
            await thread.say(await settled(found), name=name, direct=direct)
            return
        try:
            if await _of(found, lambda: asking.fit(found)) is Fit.FILE:
                await self._share_whole(thread, found, direct)
            message = await _of(found, lambda: asking.ask(found))
        except (SlackFailure, StoreUnavailable):
            raise
        except Exception:
            log.exception("a question can't be drawn; asking in words", run_id=found.run_id)
            await self._ask_in_words(thread, found, name, direct)
            return
        try:
            await thread.say(
                message, name=name, noted=_digest(found), priority=Priority.DECISION, direct=direct
            )
        except Unrenderable as refused:
            log.warning(
                "a question's blocks are refused; asking in words", run_id=found.run_id, code=refused.code
            )
            await self._ask_in_words(thread, found, name, direct)

    async def _ask_in_words(self, thread: Thread, found: QuestionCard, name: str, direct: str | None) -> None:
        await thread.note(asked_in_words(found.question_id), "posted")
        await self._share_whole(thread, found, direct)
        plainly = asking.bare(found.run_id)
        message = await drawn(
            lambda: Message(text=asking.in_words(found)), plainly, run_id=found.run_id, size=_size(found)
        )
        await thread.say(message, name=name, noted=_digest(found), priority=Priority.DECISION, direct=direct)

    async def _share_whole(self, thread: Thread, found: QuestionCard, direct: str | None) -> None:
        """Post all that is to be decided as a file, once in each place."""
        name = f"file:{found.question_id}" + (f":{direct}" if direct else "")
        if name in thread.copies:
            return
        file = runcard.file_name(found.title, found.run_id, "question")
        text = asking.full_text(found)
        shown = await off_the_loop(lambda: visible(text), len(text))
        await thread.share(file, shown, "The whole question", direct)
        await thread.note(name, "posted")

    async def _settle(self, thread: Thread, question_id: str) -> None:
        name = question_copy(question_id)
        question = await self._question(thread, question_id)
        if question is None or question.open:
            return
        found = cards.question_card(thread.run, question)
        if not thread.named(name):
            await thread.say(await settled(found), name=name)
        else:
            await thread.rewrite(name, await settled(found))

    async def _remind(self, thread: Thread, question_id: str, seq: int) -> None:
        """Say it once, wherever the question was asked."""
        question = await self._question(thread, question_id)
        copies = thread.named(question_copy(question_id))
        if question is None or not question.open or f"reminded:{seq}" in thread.copies:
            return
        link = await self._links.to(copies[-1]) if copies else None
        reminder = asking.reminder(cards.question_card(thread.run, question), link)
        if f"reminded:{seq}:directly" not in thread.copies:
            await self._direct.remind(thread, question_id, reminder)
            await thread.note(f"reminded:{seq}:directly", "posted")
        await thread.say(reminder, name=f"reminded:{seq}")

    async def _question(self, thread: Thread, question_id: str) -> Question | None:
        try:
            return await self._store.questions.get(thread.run.id, question_id)
        except NotFound:
            return None

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    async def _completed(self, thread: Thread, result: str) -> None:
        shown = await run_card(self._store, thread.run)
        bare = runcard.bare(shown.run_id, shown.status)
        message = await drawn(
            lambda: runcard.completed(shown, result), bare, run_id=shown.run_id, size=len(result)
        )
        in_words = await drawn(
            lambda: runcard.completed_in_words(shown, result), bare, run_id=shown.run_id, size=len(result)
        )
        if message is bare:
            await thread.note(IN_WORDS, "posted")
        await self._end(thread, message, in_words)
        name = f"file:{END}"
        if (not runcard.fits(result) or IN_WORDS in thread.copies) and name not in thread.copies:
            file = runcard.file_name(shown.title, shown.run_id, "result")
            await thread.share(file, result, "The result")
            await thread.note(name, "posted")

    async def _end(self, thread: Thread, message: Message, plain: Message | None = None) -> None:
        """Say it once."""
        if END in thread.copies:
            return
        try:
            await thread.say(message, name=END)
        except Unrenderable as refused:
            log.warning("an end can't be rendered; posting text", run_id=thread.run.id, code=refused.code)
            if plain is not None:
                await thread.note(IN_WORDS, "posted")
            await thread.say(plain or Message(text=message.text), name=END)

    # ── elsewhere ───────────────────────────────────────────────────────────────────────────────────────

    async def _move(self, thread: Thread, code: str) -> None:
        """Go on in a direct message to the requester."""
        requester = thread.run.requester
        if requester.surface != SURFACE or requester.tenant != thread.place.team:
            raise Rejected(code)
        log.warning("a thread is closed; going on by direct message", run_id=thread.run.id, code=code)
        shown = await run_card(self._store, thread.run)
        posted = await self._api.dm(requester.user_id, runcard.moved(shown, thread.place.channel))
        there = SlackPlace(thread.place.team, posted.channel, posted.ts).encode()
        await self._store.runs.add_place(thread.run.id, there)
        await thread.note(MOVED, posted.encode())


def _digest(found: QuestionCard) -> dict[str, str]:
    """What is noted with a question's card, so that a reply in words is held to what was shown."""
    return {shown_digest(found.question_id): found.digest}
