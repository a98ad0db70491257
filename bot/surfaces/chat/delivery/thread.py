"""What a surface shows of one run: posting and rewriting its messages, whatever the platform refuses.

Where a run's thread is closed to us the run goes on in a direct message to its requester.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot.core.outbox import DeliveryState, Outbox
from bot.core.run import Run
from bot.surfaces.chat.failures import Reason, Rejected, ShutOut, Unrenderable
from bot.surfaces.chat.message_keys import MOVED, Posted
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import ChatPlace, Conversation
from bot.surfaces.chat.platform import ChatPlatform, Priority, SharedFile
from bot.surfaces.chat.wording import run_messages

log = structlog.get_logger(__name__)


class Superseded(BaseException):
    """Another process delivers this shard by now. Not an error: stop, it goes on there."""


class DeliveryRecorder:
    """Records for one process what it has shown on a surface."""

    def __init__(self, outbox: Outbox, surface: str, owner: str) -> None:
        self._outbox = outbox
        self._surface = surface
        self._owner = owner

    async def recorded(self, run_id: str) -> DeliveryState:
        return await self._outbox.state(self._surface, run_id)

    async def record(self, run_id: str, cursor: int, messages: Mapping[str, str] | None = None) -> None:
        """Raises Superseded."""
        if not await self._outbox.mark_delivered(self._surface, self._owner, run_id, cursor, messages):
            raise Superseded


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
        #: Names of orphaned messages that were adopted and are still to be reconciled.
        self.adopted = shown.adopted

    def named(self, name: str) -> list[Posted]:
        """All messages recorded under this name (`name`, `name:1`, ...)."""
        found = (ref for key, ref in self.messages.items() if key == name or key.startswith(f"{name}:"))
        return [Posted.decode(ref) for ref in dict.fromkeys(found)]

    # ── posting ─────────────────────────────────────────────────────────────────────────────────────────

    async def post_to(
        self,
        to: Conversation,
        message: Message,
        *,
        name: str = "",
        notes: Mapping[str, str] | None = None,
        priority: Priority = Priority.NEWS,
    ) -> Posted:
        """Post a message. One with a name is recorded, together with `notes`.

        Raises Later, Rejected, Superseded.
        """
        posted = await self._platform.post(to, message, priority=priority)
        if name:
            await self._record({name: posted.encode(), **(notes or {})})
        return posted

    async def upload_to(
        self, to: Conversation, file_name: str, content: str, title: str, *, name: str
    ) -> None:
        """Share a text as a file, once for each name; in parts as messages where files are refused.

        Raises Later, Rejected, Superseded.
        """
        if name in self.messages:
            return
        try:
            file = SharedFile(file_name, content.encode(), title)
            await self._platform.upload(to, file, run_id=self.run.id)
        except ShutOut:
            raise
        except Rejected as rejected:
            log.warning("a file can't be uploaded; posting text", run_id=self.run.id, code=rejected.code)
            for message in run_messages.in_messages(content, self._platform.capabilities.limits):
                await self.post_to(to, message)
        await self.note(name, "posted")

    # ── rewriting ───────────────────────────────────────────────────────────────────────────────────────

    async def rewrite(self, name: str, message: Message, priority: Priority = Priority.DECISION) -> None:
        """Rewrite all messages of this name, as text where the message can't be rendered.

        One that somebody deleted, or in a closed channel, stays as it is. Raises Later, ShutOut.
        """
        for posted in self.named(name):
            await self.rewrite_one(posted, message, priority)

    async def rewrite_one(
        self,
        posted: Posted,
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
            except ShutOut:
                raise
            except Rejected as rejected:
                log.info("a message can't be edited", run_id=self.run.id, code=rejected.code)
                if not isinstance(rejected, Unrenderable):
                    return rejected.reason is not Reason.MESSAGE_GONE
            else:
                break
        return True

    async def replace(self, posted: Posted, message: Message) -> bool:
        """Replace one message; False, and unchanged, if the platform refuses that. Raises Later, ShutOut."""
        try:
            await self._platform.update(posted, message, priority=Priority.DECISION)
        except ShutOut:
            raise
        except Rejected as rejected:
            log.info("a message can't be edited", run_id=self.run.id, code=rejected.code)
            return False
        return True

    # ── recording ───────────────────────────────────────────────────────────────────────────────────────

    async def note(self, name: str, value: str) -> None:
        """Record something under a name. Raises Superseded."""
        await self._record({name: value})

    async def _record(self, values: Mapping[str, str]) -> None:
        self.messages.update(values)
        await self._recorder.record(self.run.id, self.cursor, values)

    async def reached(self, seq: int) -> None:
        """Record that everything up to this event is shown. Raises Superseded."""
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

    @property
    def moved(self) -> Posted | None:
        """The direct message in which the run goes on, if its thread is closed to us."""
        return Posted.decode(self.messages[MOVED]) if MOVED in self.messages else None

    @property
    def conversation(self) -> Conversation:
        """Where the run's messages are posted now."""
        return moved.thread if (moved := self.moved) else self.place.conversation

    async def post(
        self,
        message: Message,
        *,
        name: str = "",
        notes: Mapping[str, str] | None = None,
        priority: Priority = Priority.NEWS,
    ) -> Posted:
        """As `post_to`, into the thread."""
        return await self.post_to(self.conversation, message, name=name, notes=notes, priority=priority)

    async def upload(self, file_name: str, content: str, title: str, *, name: str) -> None:
        """As `upload_to`, into the thread."""
        await self.upload_to(self.conversation, file_name, content, title, name=name)

    async def share(self, file: SharedFile, otherwise: Message, *, name: str) -> None:
        """Share a file of the run, once for each name; `otherwise` is said where it is refused.

        Raises Later, Rejected, Superseded.
        """
        if name in self.messages:
            return
        try:
            await self._platform.upload(self.conversation, file, run_id=self.run.id)
        except ShutOut:
            raise
        except Rejected as rejected:
            log.warning("a file can't be uploaded", run_id=self.run.id, code=rejected.code)
            await self.post(otherwise)
        await self.note(name, "posted")
