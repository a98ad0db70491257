"""Posting what a run's events mean for people: one event after the other, each recorded once it is shown."""

from __future__ import annotations

from typing import assert_never

import structlog

from bot.core.errors import JournalUndecryptable, NotFound, UnreadableRecord
from bot.core.events.event import (
    Event,
    FileAttached,
    FileRefused,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputReminded,
    HumanInputRequired,
    RunCancelled,
    RunChanged,
    RunCompleted,
    RunFailed,
    RunProgress,
    RunStarted,
    TaskCompleted,
    TaskStarted,
    Unknown,
)
from bot.core.ports.outbox import is_redrawn
from bot.core.ports.store import Files, Store
from bot.metrics import Metrics
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.delivery.question_poster import QuestionPoster
from bot.surfaces.chat.delivery.thread import Links, RunThread
from bot.surfaces.chat.failures import CredentialsRefused, Rejected, Unrenderable
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.platform import ChatPlatform, SharedFile
from bot.surfaces.chat.rendering import rendered, run_card
from bot.surfaces.chat.wording import run_messages

log = structlog.get_logger(__name__)


class EventPoster:
    """Posts events into the threads of their runs."""

    def __init__(self, store: Store, platform: ChatPlatform, links: Links, metrics: Metrics) -> None:
        self._store = store
        self._platform = platform
        self._limits = platform.capabilities.limits
        self._questions = QuestionPoster(store, platform, links, metrics)
        self._attachments = Attachments(store.files)

    async def post(self, thread: RunThread, event: Event) -> None:
        """Show one event; in direct messages where the thread is closed to us.

        Raises RetryLater, CredentialsRefused, ShardLeaseLost, StoreUnavailable.
        """
        try:
            await self._post(thread, event)
        except CredentialsRefused:
            raise
        except Unrenderable as refused:
            # Nothing more can be tried, and the run must not wait for it; but a question has to be seen.
            log.warning("not even text could be posted", run_id=thread.run.id, code=refused.code)
            if isinstance(event.body, HumanInputRequired):
                await self._questions.ask_directly(thread, event.body.question_id)
        except Rejected as rejected:
            await self._post_directly(thread, event, rejected)

    async def show_anew(self, thread: RunThread) -> None:
        """Show open questions again, such as those whose messages somebody deleted.

        In direct messages where the thread turns out to be closed to us. Raises as `post` does.
        """
        for name in sorted(filter(is_redrawn, thread.outdated)):
            for question_id in keys.to_redraw(thread.messages, name):
                await self._show_anew(thread, question_id)
            await thread.record(name, "")

    async def _show_anew(self, thread: RunThread, question_id: str) -> None:
        try:
            await self._questions.show_anew(thread, question_id)
        except CredentialsRefused:
            raise
        except Rejected as rejected:
            log.warning("a question can't be shown anew", run_id=thread.run.id, code=rejected.code)
        closed = thread.closed.get(thread.place.channel)
        if closed is not None and thread.moved is None:
            await self._go_on_directly(thread, closed)

    async def _go_on_directly(self, thread: RunThread, closed: Rejected) -> None:
        try:
            await self._move(thread, closed)
        except CredentialsRefused:
            raise
        except Rejected as rejected:
            log.warning("a run can't go on by direct message", run_id=thread.run.id, code=rejected.code)
        await self._questions.ask_directly(thread)

    async def retry_notifications(self, thread: RunThread) -> None:
        """Ask again the questions of which nobody could be told. Raises as `post` does."""
        await self._questions.retry_notifications(thread)

    async def _post_directly(self, thread: RunThread, event: Event, rejected: Rejected) -> None:
        try:
            if thread.moved is not None:
                raise rejected
            await self._move(thread, rejected)
            await self._questions.ask_directly(thread)
            await self._post(thread, event)
        except CredentialsRefused:
            raise
        except Rejected as failure:
            log.warning(
                "a run's thread can't be posted to", run_id=thread.run.id, seq=event.seq, code=failure.code
            )
            await self._questions.ask_directly(thread)

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
        told = thread.named(keys.MOVING)
        message = run_messages.moved(card, place.channel)
        posted = told[0] if told else await thread.post_to(direct, message, name=keys.MOVING)
        moved = place.moved_to(self._platform.thread_of(posted))
        await self._store.runs.add_place(thread.run.id, moved.encode())
        await thread.record(keys.MOVED, posted.encode())

    async def _post(self, thread: RunThread, event: Event) -> None:
        match event.body:
            case RunStarted() | TaskStarted() | TaskCompleted() | RunProgress() | Unknown():
                return  # These change the progress message and nothing else.
            case RunChanged() as body:
                await self._changed(thread, body.change, event.seq)
            case HumanInputRequired() as body:
                await self._questions.ask(thread, body.question_id)
            case HumanInputRecorded() as body:
                await self._questions.show_progress(thread, body, event.seq)
            case HumanInputCompleted() as body:
                await self._questions.settle(thread, body.question_id)
            case HumanInputReminded() as body:
                await self._questions.remind(thread, body.question_id, event.seq)
            case FileAttached() | FileRefused() as body:
                await self._attachments.show(thread, body, event.seq)
            case RunCompleted() as body:
                await self._completed(thread, body.result)
            case RunFailed() | RunCancelled() as body:
                await self._ended_early(thread, body)
            case _:
                assert_never(event.body)

    async def _changed(self, thread: RunThread, change: str, seq: int) -> None:
        name = keys.change_message(seq)
        if name not in thread.messages:
            await thread.post(
                run_messages.changed(await run_card(self._store, thread.run), change), name=name
            )

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    async def _completed(self, thread: RunThread, result: str) -> None:
        card = await run_card(self._store, thread.run)
        bare, size = run_messages.fallback(card.run_id, card.status), len(result)
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
            await thread.record(keys.END_AS_TEXT, "posted")
        await self._end(thread, message, text)
        if not run_messages.fits(result, self._limits) or keys.END_AS_TEXT in thread.messages:
            file_name = run_messages.file_name(card.title, card.run_id, "result")
            await thread.upload(file_name, result, "The result", name=keys.file_of(keys.END))

    async def _ended_early(self, thread: RunThread, body: RunFailed | RunCancelled) -> None:
        say = run_messages.failed if isinstance(body, RunFailed) else run_messages.cancelled
        await self._end(thread, say(await run_card(self._store, thread.run)))

    async def _end(self, thread: RunThread, message: Message, text: Message | None = None) -> None:
        """Say once how the run ended; `text` says it where the message is refused.

        Where that is refused, too, a sentence says it that has nothing of the crew in it.
        """
        if keys.END in thread.messages:
            return
        try:
            await thread.post(message, name=keys.END)
        except Unrenderable as refused:
            log.warning(
                "a run's result can't be rendered; plain text is posted",
                run_id=thread.run.id,
                code=refused.code,
            )
            if text is not None:
                await thread.record(keys.END_AS_TEXT, "posted")
            await self._end_in_words(thread, text or message.without_blocks())

    async def _end_in_words(self, thread: RunThread, text: Message) -> None:
        try:
            await thread.post(text, name=keys.END)
        except Unrenderable as refused:
            log.warning("not even a result's text is taken", run_id=thread.run.id, code=refused.code)
            run = await self._store.runs.get(thread.run.id)
            await thread.post(run_messages.fallback(run.id, run.status), name=keys.END)


class Attachments:
    """Posts files into the threads of their runs."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def show(self, thread: RunThread, body: FileAttached | FileRefused, seq: int) -> None:
        """Show a file, or say why there is none. Raises as `RunThread.post` does."""
        if isinstance(body, FileAttached):
            await self._share(thread, body)
        elif (name := keys.change_message(seq)) not in thread.messages:
            await thread.post(run_messages.file_refused(body), name=name)

    async def _share(self, thread: RunThread, attached: FileAttached) -> None:
        name = keys.attachment(attached.file_id)
        if name in thread.messages:
            return
        try:
            parts = self._files.read(thread.run.id, attached.file_id)
            content = b"".join([part async for part in parts])
        except (NotFound, UnreadableRecord, JournalUndecryptable) as error:
            log.warning("a file can't be read", run_id=thread.run.id, code=error.code)
            await thread.post(run_messages.file_elsewhere(thread.run.id, attached), name=name)
            return
        file = SharedFile(attached.name, content, attached.description or attached.name, attached.file_id)
        await thread.share(file, run_messages.file_elsewhere(thread.run.id, attached), name=name)
