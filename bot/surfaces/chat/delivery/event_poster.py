"""Posting what a run's events mean for people: one event after the other, each recorded once it is shown."""

from __future__ import annotations

from typing import assert_never

import structlog

from bot.core.errors import NotFound, StoreUnavailable
from bot.core.event import (
    Event,
    HumanInputCompleted,
    HumanInputRecorded,
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
from bot.core.text import visible
from bot.metrics import Metrics
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.cards import QuestionCard, question_card
from bot.surfaces.chat.delivery.direct import DirectQuestions
from bot.surfaces.chat.delivery.links import Links
from bot.surfaces.chat.delivery.rendering import offload, rendered, run_card, settled_message, size_of
from bot.surfaces.chat.delivery.thread import RunThread
from bot.surfaces.chat.failures import PlatformFailure, Rejected, ShutOut, Unrenderable
from bot.surfaces.chat.message_keys import question_message, untold, untold_in
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import Conversation
from bot.surfaces.chat.platform import ChatPlatform, Priority
from bot.surfaces.chat.wording import question_messages, run_messages
from bot.surfaces.chat.wording.question_messages import Fit

log = structlog.get_logger(__name__)


class EventPoster:
    """Posts events into the threads of their runs."""

    def __init__(self, store: Store, platform: ChatPlatform, links: Links, metrics: Metrics) -> None:
        self._store = store
        self._platform = platform
        self._limits = platform.capabilities.limits
        self._links = links
        self._direct = DirectQuestions(store, platform, metrics, self._post_question)

    async def post(self, thread: RunThread, event: Event) -> None:
        """Show one event; in direct messages where the thread is closed to us.

        Raises Later, ShutOut, Superseded, StoreUnavailable.
        """
        try:
            await self._post(thread, event)
        except ShutOut:
            raise
        except Unrenderable as refused:
            # Nothing more can be tried, and the run must not wait for it.
            log.warning("not even text could be posted", run_id=thread.run.id, code=refused.code)
        except Rejected as rejected:
            await self._post_directly(thread, event, rejected)

    async def retry_untold(self, thread: RunThread) -> None:
        """Ask again the questions of which nobody could be told. Raises as `post` does."""
        for question_id in untold_in(thread.messages):
            question = await self._question(thread, question_id)
            if question is None or not question.open:
                continue
            try:
                await self._ask(thread, question_id)
            except ShutOut:
                raise
            except Rejected as rejected:
                log.info("a thread is still closed", run_id=thread.run.id, code=rejected.code)
            if untold_in(thread.messages).get(question_id):
                await self._direct.ask(thread, question)

    async def _post_directly(self, thread: RunThread, event: Event, rejected: Rejected) -> None:
        try:
            if thread.moved is not None:
                raise rejected
            await self._move(thread, rejected)
            await self._ask_directly(thread)
            await self._post(thread, event)
        except ShutOut:
            raise
        except Rejected as failure:
            log.warning("a run's thread is closed", run_id=thread.run.id, seq=event.seq, code=failure.code)
            await self._ask_directly(thread)

    async def _move(self, thread: RunThread, rejected: Rejected) -> None:
        """Go on in a direct message to the requester."""
        place, requester = thread.place, thread.run.requester
        if (requester.surface, requester.tenant) != (place.surface, place.tenant):
            raise rejected
        log.warning(
            "a thread is closed; going on by direct message", run_id=thread.run.id, code=rejected.code
        )
        card = await run_card(self._store, thread.run)
        direct = await self._platform.open_direct(requester.user_id)
        posted = await self._platform.post(direct, run_messages.moved(card, place.channel))
        moved = place.moved_to(self._platform.thread_of(posted))
        await self._store.runs.add_place(thread.run.id, moved.encode())
        await thread.note(keys.MOVED, posted.encode())

    async def _ask_directly(self, thread: RunThread) -> None:
        for question in await self._store.questions.list(thread.run.id):
            if question.open:
                await self._direct.ask(thread, question)

    async def _post(self, thread: RunThread, event: Event) -> None:
        match event.body:
            case RunStarted() | TaskStarted() | TaskCompleted() | HumanInputRecorded() | Unknown():
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
                await self._end(thread, run_messages.failed(await run_card(self._store, thread.run)))
            case RunCancelled():
                await self._end(thread, run_messages.cancelled(await run_card(self._store, thread.run)))
            case _:
                assert_never(event.body)

    async def _changed(self, thread: RunThread, change: str, seq: int) -> None:
        name = keys.change_message(seq)
        if name not in thread.messages:
            await thread.post(
                run_messages.changed(await run_card(self._store, thread.run), change), name=name
            )

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, thread: RunThread, question_id: str) -> None:
        name = question_message(question_id)
        question = await self._question(thread, question_id)
        if question is None:
            return
        if question.open and thread.moved is not None:
            await self._direct.ask(thread, question)
        elif not thread.named(name):
            await self._post_question(thread, question_card(thread.run, question), name)
            if thread.messages.get(untold(question_id)):
                await thread.note(untold(question_id), "")

    async def _post_question(
        self, thread: RunThread, card: QuestionCard, name: str, to: Conversation | None = None
    ) -> None:
        if not card.open:
            await thread.post(await settled_message(card, self._limits), name=name, to=to)
            return
        try:
            if await offload(lambda: question_messages.fit(card, self._limits), size_of(card)) is Fit.FILE:
                await self._upload_question(thread, card, to)
            message = await offload(lambda: question_messages.ask(card, self._limits), size_of(card))
        except (PlatformFailure, StoreUnavailable):
            raise
        except Exception:
            log.exception("a question can't be rendered; asking as text", run_id=card.run_id)
            await self._ask_as_text(thread, card, name, to)
            return
        try:
            await thread.post(message, name=name, notes=_digest(card), priority=Priority.DECISION, to=to)
        except Unrenderable as refused:
            log.warning(
                "a question's message is refused; asking as text", run_id=card.run_id, code=refused.code
            )
            await self._ask_as_text(thread, card, name, to)

    async def _ask_as_text(
        self, thread: RunThread, card: QuestionCard, name: str, to: Conversation | None
    ) -> None:
        await thread.note(keys.asked_in_words(card.question_id), "posted")
        await self._upload_question(thread, card, to)
        message = await rendered(
            lambda: question_messages.in_words(card, self._limits),
            question_messages.bare(card.run_id),
            run_id=card.run_id,
            size=size_of(card),
        )
        await thread.post(message, name=name, notes=_digest(card), priority=Priority.DECISION, to=to)

    async def _upload_question(self, thread: RunThread, card: QuestionCard, to: Conversation | None) -> None:
        """Post all that is to be decided as a file, once in each place."""
        file_name = run_messages.file_name(card.title, card.run_id, "question")
        text = question_messages.full_text(card, self._limits)
        shown = await offload(lambda: visible(text), len(text))
        name = keys.file_of(card.question_id, to.channel if to else "")
        await thread.upload(file_name, shown, "The whole question", name=name, to=to)

    async def _settle(self, thread: RunThread, question_id: str) -> None:
        name = question_message(question_id)
        question = await self._question(thread, question_id)
        if question is None or question.open:
            return
        message = await settled_message(question_card(thread.run, question), self._limits)
        if thread.named(name):
            await thread.rewrite(name, message)
        else:
            await thread.post(message, name=name)

    async def _remind(self, thread: RunThread, question_id: str, seq: int) -> None:
        """Remind once, wherever the question was asked."""
        question = await self._question(thread, question_id)
        posted = thread.named(question_message(question_id))
        name, sent_directly = keys.reminder(seq), keys.direct_reminders(seq)
        if question is None or not question.open or name in thread.messages:
            return
        link = await self._links.to(posted[-1]) if posted else None
        message = question_messages.reminder(question_card(thread.run, question), link)
        if sent_directly not in thread.messages:
            await self._direct.remind(thread, question_id, message)
            await thread.note(sent_directly, "posted")
        await thread.post(message, name=name)

    async def _question(self, thread: RunThread, question_id: str) -> Question | None:
        try:
            return await self._store.questions.get(thread.run.id, question_id)
        except NotFound:
            return None

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    async def _completed(self, thread: RunThread, result: str) -> None:
        card = await run_card(self._store, thread.run)
        bare, size = run_messages.bare(card.run_id, card.status), len(result)
        message = await rendered(
            lambda: run_messages.completed(card, result, self._limits), bare, run_id=card.run_id, size=size
        )
        text = await rendered(
            lambda: run_messages.completed_in_words(card, result, self._limits),
            bare,
            run_id=card.run_id,
            size=size,
        )
        if message is bare:
            await thread.note(keys.END_AS_TEXT, "posted")
        await self._end(thread, message, text)
        if not run_messages.fits(result, self._limits) or keys.END_AS_TEXT in thread.messages:
            file_name = run_messages.file_name(card.title, card.run_id, "result")
            await thread.upload(file_name, result, "The result", name=keys.file_of(keys.END))

    async def _end(self, thread: RunThread, message: Message, text: Message | None = None) -> None:
        """Say once how the run ended; `text` says it where the message is refused."""
        if keys.END in thread.messages:
            return
        try:
            await thread.post(message, name=keys.END)
        except Unrenderable as refused:
            log.warning("an end can't be rendered; posting text", run_id=thread.run.id, code=refused.code)
            if text is not None:
                await thread.note(keys.END_AS_TEXT, "posted")
            await thread.post(text or message.without_blocks(), name=keys.END)


def _digest(card: QuestionCard) -> dict[str, str]:
    """What is recorded with a question, so that a reply in words is held to what was shown."""
    return {keys.shown_digest(card.question_id): card.digest}
