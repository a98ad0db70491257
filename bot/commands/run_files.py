"""`crewdeck runs files`: list or save the files of a run, directly from the store."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bot.commands.output import print_rows, print_text, print_to_stderr
from bot.commands.runs import found
from bot.core.errors import JournalUndecryptable, NotFound, SettingsError, UnreadableRecord
from bot.core.files import StoredFile, file_name, in_words
from bot.settings import Settings
from bot.store.open import open_configured
from bot.store.redis import RedisStore


def run(settings: Settings, named: str, save: Path | None) -> int:
    """List the files, or write them into the folder `save`. Raises SettingsError and StoreUnavailable."""
    return asyncio.run(_run(settings, named, save))


async def _run(settings: Settings, named: str, save: Path | None) -> int:
    async with open_configured(settings) as store:
        [of] = await found(store, (named,))
        files = await store.files.list(of.id)
        if not files:
            print_to_stderr("This run has no files.")
        elif save is None:
            print_rows([("NAME", "SIZE", "TYPE", "FROM"), *map(_row, files)])
        else:
            await _save_all(store, of.id, files, save)
    return 0


def _row(file: StoredFile) -> tuple[str, ...]:
    made_by = f"input {file.input}" if file.input else "the crew"
    return file.name, in_words(file.size), file.media_type, made_by


async def _save_all(store: RedisStore, run_id: str, files: list[StoredFile], folder: Path) -> None:
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        for file in files:
            content = b"".join([part async for part in store.files.read(run_id, file.id)])
            print_text(str(_save(folder, file.name, content)))
    except OSError as error:
        raise SettingsError(f"--save: {error.filename or folder}: {error.strerror}.") from error
    except (NotFound, JournalUndecryptable, UnreadableRecord) as error:
        raise SettingsError(str(error)) from error


def _save(folder: Path, name: str, content: bytes) -> Path:
    """Write a new file; nothing that is there is overwritten. Raises OSError."""
    stem, dot, suffix = file_name(name).rpartition(".")
    number = 1
    while True:
        extra = "" if number == 1 else f" ({number})"
        path = folder / (f"{stem}{extra}.{suffix}" if dot else f"{suffix}{extra}")
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(opened, "wb") as file:
            file.write(content)
        return path
