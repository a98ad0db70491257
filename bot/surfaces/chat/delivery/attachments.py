"""Posting the files that a run's crew made, each once."""

from __future__ import annotations

import structlog

from bot.core.errors import JournalUndecryptable, NotFound, UnreadableRecord
from bot.core.event import FileAttached, FileRefused
from bot.core.files import Files
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.delivery.thread import RunThread
from bot.surfaces.chat.platform import SharedFile
from bot.surfaces.chat.wording import run_messages

log = structlog.get_logger(__name__)


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
