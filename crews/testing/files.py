"""Files of a run in a test, in memory: the port `Files`, without its limits over all files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from pydantic import JsonValue

from bot.core import input_files
from bot.core.errors import InvalidInputs, NotFound, Refused
from bot.core.files import StoredFile
from bot.core.forms.fields import FieldType
from bot.core.people.actor import Actor
from bot.core.ports.store import Files
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim


class MemoryFiles:
    """By owner and id. `check` raises Fenced for a claim that is no longer valid."""

    def __init__(self, check: Callable[[Claim], None]) -> None:
        self._check = check
        self._kept: dict[str, dict[str, tuple[StoredFile, bytes]]] = {}

    async def attach(self, claim: Claim, file: StoredFile, content: bytes) -> None:
        self._check(claim)
        await self.seed(claim.run.id, file, content)

    async def seed(self, owner: str, file: StoredFile, content: bytes) -> None:
        self._kept.setdefault(owner, {}).setdefault(file.id, (file, content))

    async def list(self, owner: str) -> list[StoredFile]:
        return [file for file, _ in self.contents(owner)]

    async def get(self, owner: str, file_id: str) -> StoredFile:
        return self._found(owner, file_id)[0]

    async def read(self, owner: str, file_id: str) -> AsyncIterator[bytes]:
        yield self._found(owner, file_id)[1]

    def contents(self, owner: str) -> tuple[tuple[StoredFile, bytes], ...]:
        """All files with their contents, in the order in which they came."""
        return tuple(self._kept.get(owner, {}).values())

    def _found(self, owner: str, file_id: str) -> tuple[StoredFile, bytes]:
        try:
            return self._kept[owner][file_id]
        except KeyError:
            raise NotFound("file", file_id) from None


async def uploaded(
    files: Files, crew: Crew, inputs: Mapping[str, JsonValue], by: Actor
) -> dict[str, JsonValue]:
    """The inputs with uploads in place of paths, as a surface makes them. Raises InvalidInputs."""
    found = dict(inputs)
    for field in crew.inputs:
        path = inputs.get(field.name)
        if field.type is FieldType.FILE and isinstance(path, str):
            try:
                content = await asyncio.to_thread(Path(path).read_bytes)
                found[field.name], _ = await input_files.upload(files, Path(path).name, content, by)
            except OSError as error:
                raise InvalidInputs({field.name: f"can't be read: {error.strerror}"}) from None
            except Refused as refused:
                raise InvalidInputs({field.name: str(refused)}) from None
    return found
