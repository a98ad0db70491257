"""What a surface shows of one run: its thread, its messages and their addresses.

Where a run's thread is closed to us the run goes on in a direct message to its requester.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.outbox import DeliveryState, Outbox
from bot.core.ports.store import KeyValueStore
from bot.core.runs.place import Place
from bot.core.runs.run import Run
from bot.surfaces.chat.failures import CredentialsRefused, Rejected, RejectionReason, Unrenderable
from bot.surfaces.chat.message_keys import (
    DRAWN,
    MOVED,
    PROGRESS,
    file_part,
    question_message,
)
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import ChatPlace, Conversation, MessageRef
from bot.surfaces.chat.platform import ChatPlatform, Priority, SharedFile
from bot.surfaces.chat.wording import run_messages

log = structlog.get_logger(__name__)

FIRST_SEQ = 1
"""The number of a run's first event, that it was started."""


CLOSED = frozenset(
    {
        RejectionReason.ARCHIVED,
        RejectionReason.NOT_A_MEMBER,
        RejectionReason.OTHERS_CONVERSATION,
        RejectionReason.THREAD_GONE,
    }
)
"""Why nothing can be edited or posted in a conversation."""


class ShardLeaseLost(BaseException):
    """Another process has leased this shard by now. Not an error: stop, it goes on there."""


class DeliveryRecorder:
    """Records for one process what it has shown on a surface."""

    def __init__(self, outbox: Outbox, surface: str, owner: str) -> None:
        self._outbox = outbox
        self._surface = surface
        self._owner = owner
        #: By run, what could not be recorded while the store was away: it is there, and not shown again.
        self._unrecorded: dict[str, dict[str, str]] = {}

    async def recorded(self, run_id: str) -> DeliveryState:
        """What is recorded; what could not be before is recorded now."""
        state = await self._outbox.state(self._surface, run_id)
        unrecorded = self._unrecorded.pop(run_id, {})
        missing = {name: value for name, value in unrecorded.items() if name not in state.messages}
        if not missing:
            return state
        try:
            await self.record(run_id, state.cursor, missing)
        except ShardLeaseLost:
            return state
        return state.model_copy(update={"messages": {**state.messages, **missing}})

    async def record(
        self,
        run_id: str,
        cursor: int,
        messages: Mapping[str, str] | None = None,
        *,
        place: Place | None = None,
    ) -> None:
        """As `Outbox.mark_delivered`. Raises ShardLeaseLost."""
        try:
            held = await self._outbox.mark_delivered(
                self._surface, self._owner, run_id, cursor, messages, place=place
            )
        except StoreUnavailable:
            if messages:
                self._unrecorded.setdefault(run_id, {}).update(messages)
            raise
        if not held:  # Whoever delivers the run now may have shown it again.
            self._unrecorded.pop(run_id, None)
            raise ShardLeaseLost


class RunMessages:
    """The messages of one run on a surface. Used by one task at a time."""

    def __init__(
        self, platform: ChatPlatform, recorder: DeliveryRecorder, run: Run, shown: DeliveryState
    ) -> None:
        self._platform = platform
        self._recorder = recorder
        self.run = run
        self.cursor = shown.cursor
        #: What is recorded (`record`), by name: mostly where a message is.
        self.messages = dict(shown.messages)
        #: `DeliveryState.outdated`.
        self.outdated = shown.outdated
        #: Why nothing can be done in a channel any more, as an edit found out.
        self.closed: dict[str, Rejected] = {}

    def named(self, name: str) -> list[MessageRef]:
        """All messages recorded under this name (`name`, `name:1`, ...)."""
        found = (ref for key, ref in self.messages.items() if key == name or key.startswith(f"{name}:"))
        return [MessageRef.decode(ref) for ref in dict.fromkeys(found)]

    # ── posting ─────────────────────────────────────────────────────────────────────────────────────────

    async def post_to(
        self,
        to: Conversation,
        message: Message,
        *,
        name: str = "",
        records: Mapping[str, str] | None = None,
        priority: Priority = Priority.NEWS,
    ) -> MessageRef:
        """Post a message. One with a name is recorded, together with `records`.

        Raises RetryLater, Rejected, ShardLeaseLost.
        """
        posted = await self._platform.post(to, message, priority=priority)
        if name:
            await self.record_all({name: posted.encode(), **(records or {})})
        return posted

    async def upload_to(
        self, to: Conversation, file_name: str, content: str, title: str, *, name: str
    ) -> None:
        """Share a text as a file, once for each name; in parts as messages where files are refused.

        Raises RetryLater, Rejected, ShardLeaseLost.
        """
        if name in self.messages:
            return
        if file_part(name, 0) in self.messages or not await self._uploaded(
            to, SharedFile(file_name, content.encode(), title)
        ):
            await self._post_parts(to, content, name)
        await self.record(name, "posted")

    async def _uploaded(self, to: Conversation, file: SharedFile) -> bool:
        """Share a file; False if the platform refuses it."""
        try:
            await self._platform.upload(to, file, run_id=self.run.id)
        except CredentialsRefused:
            raise
        except Rejected as rejected:
            log.warning("a file can't be uploaded; posting messages", run_id=self.run.id, code=rejected.code)
            return False
        return True

    async def _post_parts(self, to: Conversation, content: str, name: str) -> None:
        """Post the text of a file, each part once."""
        limits = self._platform.capabilities.limits
        for number, message in enumerate(run_messages.in_messages(content, limits)):
            if (part := file_part(name, number)) not in self.messages:
                await self.post_to(to, message, name=part)

    # ── rewriting ───────────────────────────────────────────────────────────────────────────────────────

    async def rewrite(self, name: str, message: Message, priority: Priority = Priority.DECISION) -> None:
        """Rewrite all messages of this name, as text where the message can't be rendered.

        One that somebody deleted, or in a closed channel, stays as it is.
        Raises RetryLater, CredentialsRefused.
        """
        for posted in self.named(name):
            await self.rewrite_one(posted, message, priority)

    async def rewrite_one(
        self,
        posted: MessageRef,
        message: Message,
        priority: Priority = Priority.DECISION,
        otherwise: Message | None = None,
    ) -> bool:
        """As `rewrite`, one message; `otherwise` is shown where the message can't be rendered.

        Returns False if somebody deleted the message.
        """
        for form in (message, otherwise or message.without_blocks()):
            try:
                await self._platform.update(posted, form, priority=priority)
            except CredentialsRefused:
                raise
            except Rejected as rejected:
                log.info("a message can't be edited", run_id=self.run.id, code=rejected.code)
                if not isinstance(rejected, Unrenderable):
                    self._note_closed(posted, rejected)
                    return rejected.reason is not RejectionReason.MESSAGE_GONE
            else:
                break
        return True

    def _note_closed(self, posted: MessageRef, rejected: Rejected) -> None:
        if rejected.reason in CLOSED:
            self.closed[posted.channel] = rejected

    async def replace(self, posted: MessageRef, message: Message) -> bool:
        """Replace one message; False, and unchanged, if the platform refuses that.

        Raises RetryLater, CredentialsRefused.
        """
        try:
            await self._platform.update(posted, message, priority=Priority.DECISION)
        except CredentialsRefused:
            raise
        except Rejected as rejected:
            log.info("a message can't be edited", run_id=self.run.id, code=rejected.code)
            return False
        return True

    def forget(self, posted: MessageRef, question_id: str) -> None:
        """Forget a message of a question that somebody deleted, so that the question may be posted anew.

        Nothing is recorded: whoever repeats this finds again that it is gone.
        """
        gone = {name for name in self.messages if name.startswith(question_message(question_id))}
        kept = {
            name: ref for name, ref in self.messages.items() if name not in gone or ref != posted.encode()
        }
        self.messages = kept

    # ── recording ───────────────────────────────────────────────────────────────────────────────────────

    async def record(self, name: str, value: str) -> None:
        """Record something under a name. Raises ShardLeaseLost."""
        await self.record_all({name: value})

    async def record_all(self, values: Mapping[str, str]) -> None:
        """As `record`, all of these at once."""
        self.messages.update(values)
        await self._recorder.record(self.run.id, self.cursor, values)

    async def advance_cursor(self, seq: int) -> None:
        """Record that everything up to this event is shown. Raises ShardLeaseLost."""
        self.cursor = seq
        await self._recorder.record(self.run.id, seq)


class RunThread(RunMessages):
    """A run's thread, on the surface where the run lives."""

    def __init__(
        self,
        platform: ChatPlatform,
        recorder: DeliveryRecorder,
        run: Run,
        place: ChatPlace,
        shown: DeliveryState,
    ) -> None:
        super().__init__(platform, recorder, run, shown)
        self.place = place

    async def record_opened(self, posted: MessageRef, at: Conversation) -> None:
        """Record the thread and its first message, and have the run queued if it awaits them.

        In one transition: no other wait for the disk holds up those who start runs. Raises ShardLeaseLost.
        """
        self.place = self.place.moved_to(at)
        # The message shows that the run was started.
        self.cursor = max(self.cursor, FIRST_SEQ)
        shown = {PROGRESS: posted.encode(), DRAWN: str(FIRST_SEQ)}
        self.messages.update(shown)
        await self._recorder.record(self.run.id, self.cursor, shown, place=self.place.encode())

    @property
    def moved(self) -> MessageRef | None:
        """The direct message in which the run goes on, if its thread is closed to us."""
        return MessageRef.decode(self.messages[MOVED]) if MOVED in self.messages else None

    @property
    def conversation(self) -> Conversation:
        """Where the run's messages are posted now."""
        return moved.thread if (moved := self.moved) else self.place.conversation

    async def post(
        self,
        message: Message,
        *,
        name: str = "",
        records: Mapping[str, str] | None = None,
        priority: Priority = Priority.NEWS,
    ) -> MessageRef:
        """As `post_to`, into the thread."""
        return await self.post_to(self.conversation, message, name=name, records=records, priority=priority)

    async def upload(self, file_name: str, content: str, title: str, *, name: str) -> None:
        """As `upload_to`, into the thread."""
        await self.upload_to(self.conversation, file_name, content, title, name=name)

    async def share(self, file: SharedFile, otherwise: Message, *, name: str) -> None:
        """Share a file of the run, once for each name; `otherwise` is said where it is refused.

        Raises RetryLater, Rejected, ShardLeaseLost.
        """
        if name in self.messages:
            return
        if await self._uploaded(self.conversation, file):
            await self.record(name, "posted")
        else:
            await self.post(otherwise, name=name)


TTL_S = 30 * 24 * 3600.0


class Links:
    """Addresses of messages, remembered in the store."""

    def __init__(self, key_values: KeyValueStore, platform: ChatPlatform) -> None:
        self._key_values = key_values
        self._platform = platform

    async def address(self, posted: MessageRef) -> str | None:
        """The message's address; None if it is no longer there. Raises RetryLater, StoreUnavailable."""
        key = f"{self._platform.capabilities.surface}:link:{posted.encode()}"
        if known := await self._key_values.get(key):
            return known
        try:
            link = await self._platform.link_to(posted)
        except Rejected:
            return None
        await self._key_values.set(key, link, TTL_S)
        return link
