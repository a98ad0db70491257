"""Files of runs in Redis, in parts, so that a large one never blocks the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from pydantic import ValidationError

from bot.core.errors import NotFound, Refused, UnreadableRecord
from bot.core.files import MAX_RUN_BYTES, MAX_RUN_FILES, UPLOAD_TTL_S, StoredFile, file_name, in_words
from bot.core.ports.queue import Fenced
from bot.core.runs.run import Claim
from bot.store import redis_keys
from bot.store.codec import dump, ms
from bot.store.connection import Connection
from bot.store.journal_cipher import JournalCipher

PART_BYTES = 192 * 1024
"""Bytes of a part, which become a third more in the store."""


class RedisFiles:
    """The port `bot.core.ports.store.Files`."""

    def __init__(self, connection: Connection, cipher: JournalCipher) -> None:
        self._connection = connection
        self._cipher = cipher

    async def attach(self, claim: Claim, file: StoredFile, content: bytes) -> None:
        if not await self._write(claim.run.id, str(claim.epoch), file, content, ""):
            raise Fenced

    async def seed(self, owner: str, file: StoredFile, content: bytes) -> None:
        await self._write(owner, "", file, content, str(ms(UPLOAD_TTL_S)))

    async def list(self, owner: str) -> list[StoredFile]:
        stored: Mapping[str, str] = await self._connection.do(
            self._connection.redis.hgetall(redis_keys.files(owner))
        )
        complete = ((file, record) for file, record in stored.items() if record.startswith("+"))
        read = self._connection.unreadable.readable("file", complete, _record)
        return sorted((file for _, file in read), key=lambda file: (file.name, file.id))

    async def get(self, owner: str, file_id: str) -> StoredFile:
        stored: str | None = await self._connection.do(
            self._connection.redis.hget(redis_keys.files(owner), file_id)
        )
        if stored is None or not stored.startswith("+"):
            raise NotFound("file", file_id)
        try:
            return _record(stored)
        except ValidationError as error:
            raise UnreadableRecord("file", file_id, "it is damaged, or a newer release wrote it") from error

    async def read(self, owner: str, file_id: str) -> AsyncIterator[bytes]:
        file = await self.get(owner, file_id)
        key, at = redis_keys.file(owner, file_id), 0
        for number in range(_parts(file.size)):
            stored: str | None = await self._connection.do(self._connection.redis.hget(key, str(number)))
            if stored is None:  # It is deleted in the meantime.
                raise NotFound("file", file_id)
            part = await asyncio.to_thread(
                self._cipher.decrypt_bytes, owner, _part_name(file_id, number), stored
            )
            at += len(part)
            yield part
        if at != file.size:
            raise UnreadableRecord("file", file_id, "it is damaged")

    async def _write(self, owner: str, epoch: str, file: StoredFile, content: bytes, ttl: str) -> bool:
        """Whether it is written; False if the claim is no longer valid, or the run was started."""
        shard = redis_keys.shard_of(owner)
        begun = await self._connection.run(
            "begin_file", shard, owner, epoch, file.id, file.size, dump(file),
            MAX_RUN_BYTES, MAX_RUN_FILES, ttl,
        )  # fmt: skip
        if begun == "full":
            raise _too_many(file)
        if begun != "new":
            return begun is not None
        last = _parts(file.size) - 1
        for number in range(last + 1):
            part = content[number * PART_BYTES : (number + 1) * PART_BYTES]
            sealed = await asyncio.to_thread(
                self._cipher.encrypt_bytes, owner, _part_name(file.id, number), part
            )
            ends = "1" if number == last else ""
            if not await self._connection.run(
                "write_file", shard, owner, epoch, file.id, number, sealed, ends, ttl
            ):
                return False
        return True


def _parts(size: int) -> int:
    """How many parts a file of this size has; an empty one has an empty part."""
    return max(1, -(-size // PART_BYTES))


def _part_name(file_id: str, number: int) -> str:
    """What a part is called where it is encrypted."""
    return f"file/{file_id}/{number}"


def _record(stored: str) -> StoredFile:
    return StoredFile.model_validate_json(stored.partition(" ")[2])


def _too_many(file: StoredFile) -> Refused:
    return Refused(
        "too_many_files",
        f"{file_name(file.name)} doesn't fit any more: the files of a run may have "
        f"{in_words(MAX_RUN_BYTES)} together, and there may be {MAX_RUN_FILES}.",
    )
