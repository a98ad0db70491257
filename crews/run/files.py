"""The files of one run: those that it was started with, those that it makes, and its folder."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import structlog
from pydantic import JsonValue

from bot.core.errors import NotFound, Refused, UnreadableRecord
from bot.core.events.event import FileAttached, FileRefused
from bot.core.files import (
    MAX_DESCRIPTION,
    StoredFile,
    check_size,
    file_name,
    files_of_inputs,
    stored_file,
)
from bot.core.runs.run import Claim, RunError
from bot.core.text import valid
from crews.run.folder import RunFolder
from crews.run.session import RunSession
from crews.run.store_proxy import StoreProxy

log = structlog.get_logger(__name__)

INPUTS = "inputs"
"""The part of a run's folder that holds what it was started with: `inputs/<name of the input>/<file>`."""


MAX_COLLECTED = 20
"""Files that are attached because they are left in the folder, each time that a run leaves its worker."""
MAX_SCANNED_FILES = 1000


class InputLost(Exception):  # noqa: N818 - what happened
    """A file that the run was started with can't be read any more."""


def input_path(name: str, file: StoredFile) -> str:
    """Where the file of an input is in the run's folder."""
    return f"{INPUTS}/{file_name(name)}/{file_name(file.name)}"


def with_paths(claim: Claim, folder: RunFolder) -> Claim:
    """The claim, with the path of each file among the run's inputs in place of its record."""
    files = files_of_inputs(claim.run.inputs)
    if not files:
        return claim
    paths: dict[str, JsonValue] = {
        name: str(folder.path / input_path(name, file)) for name, file in files.items()
    }
    run = claim.run.model_copy(update={"inputs": {**claim.run.inputs, **paths}})
    return claim.model_copy(update={"run": run})


class RunFiles:
    """The files of one run. Methods that block are called from its threads, the others on its loop."""

    def __init__(self, run: RunSession, store: StoreProxy) -> None:
        self._run = run
        self._store = store
        self._lock = threading.Lock()
        self._opened = False
        #: The ids of those that are stored and announced.
        self._attached: set[str] = set()
        #: What could not be attached, so that it is said once.
        self._refused: set[tuple[str, str]] = set()

    @property
    def folder(self) -> Path:
        """The run's folder, which is made when it is first wanted. Raises RunExit if it can't be."""
        try:
            self._open()
        except OSError as error:
            log.exception("a run's folder can't be made", run_id=self._run.run_id)
            raise self._run.stop(disk_error(error)) from error
        return self._run.folder.path

    # ── at the start ────────────────────────────────────────────────────────────────────────────────────

    async def restore(self, inputs: dict[str, StoredFile]) -> None:
        """Put the run's files into its folder, and announce those that an earlier worker could not.

        Raises InputLost, JournalUndecryptable, Fenced.
        """
        stored = {file.id: file for file in self._run.history.files}
        for name, file in inputs.items():
            if file.id not in stored:
                raise InputLost(f"The file {file.name} of the input {name} is no longer there.")
            await self._write(file, input_path(name, file))
        for file in stored.values():
            if file.input:
                continue
            if file.path:
                await self._write(file, file.path)
            if not file.kept:
                await self._run.record_event(_attached(self._run, file), file.id)
            self._attached.add(file.id)

    async def _write(self, file: StoredFile, relative: str) -> None:
        try:
            content = await self._store.read_file(self._run.run_id, file.id)
        except (NotFound, UnreadableRecord) as error:
            raise InputLost(f"The file {file.name} can't be read: {error}") from error
        await asyncio.to_thread(self._put, relative, content)

    def _put(self, relative: str, content: bytes) -> None:
        self._open()
        path = self._run.folder.within(relative)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)

    def _open(self) -> None:
        with self._lock:
            if not self._opened:
                self._run.folder.open(str(self._run.claim.epoch))
                self._opened = True

    # ── what the crew makes ─────────────────────────────────────────────────────────────────────────────

    def attach(self, path: Path, name: str = "", description: str = "") -> None:
        """Store a file and announce it, once for its name and content. Blocks its thread.

        Raises OSError, Refused (file_too_large, too_many_files), RunExit.
        """
        self._run.check()
        content = _read(path)
        task = self._run.identity.task(None)
        file = stored_file(
            name or path.name,
            content,
            description=valid(description.strip())[:MAX_DESCRIPTION],
            task_id=task.id if task is not None else None,
            path=self._run.folder.relative(path),
        )
        with self._lock:
            if file.id in self._attached:
                return
        self._run.pending.wait_in_thread(self._attach(file, content))

    def attach_output(self, path: Path) -> None:
        """The same for what a task wrote. What can't be attached is said; the crew goes on."""
        try:
            self.attach(path)
        except (OSError, Refused) as error:
            self._run.pending.wait_in_thread(self._refuse(path, error))

    async def collect(self) -> None:
        """Attach what is new in the folder. Raises Fenced."""
        if not self._opened:
            return
        folder, number = self._run.folder.path, 0
        for path in await asyncio.to_thread(lambda: list(islice(_files_in(folder), MAX_SCANNED_FILES))):
            if number == MAX_COLLECTED:
                await self._refuse_others()
                return
            number += await self._collect(path)

    async def _collect(self, path: Path) -> bool:
        """Attach a file of the folder; False if it is attached already."""
        try:
            content = await asyncio.to_thread(_read, path)
            file = stored_file(path.name, content, path=self._run.folder.relative(path))
            if file.id in self._attached:
                return False
            await self._attach(file, content)
        except (OSError, Refused) as error:
            await self._refuse(path, error)
        return True

    async def _attach(self, file: StoredFile, content: bytes) -> None:
        await self._store.attach(self._run.claim, file, content)
        await self._run.record_event(_attached(self._run, file), file.id)
        self._attached.add(file.id)
        log.info("a file is attached", run_id=self._run.run_id, file=file.name, size=file.size)

    async def _refuse(self, path: Path, error: OSError | Refused) -> None:
        why = str(error) if isinstance(error, Refused) else _reason(error)
        await self._say_refused(file_name(path.name), why)

    async def _refuse_others(self) -> None:
        why = f"Of what is left in a run's folder, {MAX_COLLECTED} files are attached. Pack them into one."
        await self._say_refused("Further files", why)

    async def _say_refused(self, name: str, why: str) -> None:
        if (name, why) in self._refused:
            return
        self._refused.add((name, why))
        log.warning("a file can't be attached", run_id=self._run.run_id, file=name, reason=why)
        body = FileRefused(crew_id=self._run.crew_id, name=name, reason=why)
        await self._run.record_event(body, f"{name}/{why}")

    def close(self) -> None:
        """Remove the folder, unless another worker of this machine has the run by now."""
        if self._opened:
            self._run.folder.remove(str(self._run.claim.epoch))


def disk_error(error: OSError) -> RunError:
    """The worker can't write the run's files."""
    why = f"The worker can't write the run's files ({error.strerror}). Its log has the details."
    return RunError(code="disk", message=why)


def _attached(run: RunSession, file: StoredFile) -> FileAttached:
    return FileAttached(
        crew_id=run.crew_id,
        task_id=file.task_id,
        file_id=file.id,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        digest=file.digest,
        description=file.description,
    )


def _read(path: Path) -> bytes:
    """The content of a regular file. Raises OSError, Refused (file_too_large)."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(opened, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(f"{path.name} is no regular file")
        check_size(path.name, about.st_size)
        return file.read()


def _files_in(folder: Path) -> Iterator[Path]:
    """The regular files that the crew wrote, except hidden ones; links are not followed."""
    for at, folders, names in os.walk(folder):
        here = Path(at)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (here != folder or name != INPUTS)
        )
        for name in sorted(names):
            path = here / name
            if not name.startswith(".") and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _reason(error: OSError) -> str:
    """Why a file can't be read, without its path on this machine."""
    return f"It can't be read: {error.strerror or 'it is no regular file'}."
