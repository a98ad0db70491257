"""Calls code of crews' authors: one that raises, exits, hangs or crashes affects its own crew only."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from pydantic import ValidationError

from bot.logging import MIN_SECRET_LENGTH
from crews.building.build import PythonCrew
from crews.definitions.exceptions import CrewBroken, missing_package
from crews.run.threads import Outcome, Raised, Returned

log = structlog.get_logger(__name__)
T = TypeVar("T")

SLOW_IMPORT_S = 5.0
"""Seconds after which the next factory is imported beside one that takes longer."""
MAX_FATAL_IMPORTS = 3
"""A factory whose import has ended so many processes lately is left out."""
FATAL_IMPORT_WINDOW_S = 600.0
"""Seconds."""
_REPEATED = re.compile(r"input_value=.*?, (?=input_type=)|For further information visit \S+", re.DOTALL)
"""What pydantic adds to its messages."""
_SECRET = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
"""How names of variables end that hold secrets."""
MAX_ERROR_LENGTH = 300
"""Characters of what an exception says that are told."""


class BoundedCall(Generic[T]):
    """A call in a thread of its own, with a limit for the time to wait for it.

    A thread can't be ended from outside: one that hangs stays until its process ends.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._outcome: Outcome[T] | None = None
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="bounded", daemon=True)
        self._thread.start()

    def within(self, seconds: float) -> Outcome[T] | None:
        """The outcome, if it is there within so many seconds after the start; None otherwise."""
        self._thread.join(max(0.0, self._begun + seconds - time.monotonic()))
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = Returned(self._call())
        except BaseException as error:  # noqa: BLE001 - authors' code may raise anything
            self._outcome = Raised(error)


class ImportMarker:
    """A file that exists while this process imports a factory. One left over: the import ended a process."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._stem = hashlib.sha256(name.encode()).hexdigest()[:16]
        self._path: Path | None = None
        self._descriptor: int | None = None

    def crash_count(self) -> int:
        """The number of processes that ended lately while they imported this."""
        found = [path for path in self._folder.glob(f"{self._stem}-*") if _left(path)]
        return len(found)

    def set(self) -> None:
        """The import begins. Where no file can be written, ended processes aren't counted."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path = self._folder / f"{self._stem}-{uuid.uuid4().hex}"
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def clear(self) -> None:
        """The import is over, or this process doesn't wait for it any longer."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._path = self._descriptor = None


def _left(path: Path) -> bool:
    """Whether a process that ended lately has left this mark. Older marks are removed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - path.stat().st_mtime < FATAL_IMPORT_WINDOW_S:
                return True
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    return False


class FactoryImport:
    """The import of one factory, in a thread and bounded in time."""

    def __init__(self, entry: EntryPoint, folder: Path) -> None:
        self.entry = entry
        self._mark = ImportMarker(folder, f"{entry.name} {entry.value}")
        self._call: BoundedCall[PythonCrew] | None = None

    def begin(self, timeout_s: float) -> None:
        """Start the import; return when it is done, or after SLOW_IMPORT_S."""
        if self._mark.crash_count() < MAX_FATAL_IMPORTS:
            self._mark.set()
            self._call = BoundedCall(self._loaded)
            self._call.within(timeout_s)

    def within(self, seconds: float) -> PythonCrew:
        """The crew of the factory. Raises CrewBroken."""
        if self._call is None:
            raise CrewBroken(
                f"{self.entry.value} has ended {MAX_FATAL_IMPORTS} processes that imported it, and is "
                "left out for now",
                remedy="Correct its package, or uninstall it.",
            )
        outcome = self._call.within(seconds)
        self._mark.clear()
        match outcome:
            case Returned(crew):
                return crew
            case Raised(error):
                raise refused(f"{self.entry.value} can't be imported", error) from error
            case None:
                raise CrewBroken(f"{self.entry.value} can't be imported within {seconds:g} s", remedy=BOUND)

    def _loaded(self) -> PythonCrew:
        crew = PythonCrew.load(self.entry)
        crew.card()  # evaluates the author's declarations, which may raise
        return crew


BOUND = "What it waits for doesn't belong there; CREWDECK_BUILD_TIMEOUT is the limit."


def refused(what: str, error: BaseException) -> CrewBroken:
    """The exception of a crew's code, in words."""
    if isinstance(error, CrewBroken):
        return error
    how = "" if isinstance(error, Exception) else "it tried to end the process: "
    package = package_that_lacks(error)
    remedy = f"Install {package} for the workers." if package else ""
    return CrewBroken(f"{what}: {how}{type(error).__name__}{_said(error)}", remedy=remedy)


def package_that_lacks(error: BaseException) -> str:
    """The extra of CrewAI that a model of a crew's code needs; empty if it isn't that."""
    return missing_package(str(error)) if isinstance(error, ImportError) else ""


def _said(error: BaseException) -> str:
    try:
        words = " ".join(_words(error).split())
    except Exception:  # noqa: BLE001 - authors' code may raise anything
        return ""
    if len(words) > MAX_ERROR_LENGTH:
        words = f"{words[: MAX_ERROR_LENGTH - 1].rstrip()}…"
    return f": {words}" if words else ""


def _words(error: BaseException) -> str:
    """What the exception says, without the values that pydantic repeats, and without keys of providers."""
    if isinstance(error, ValidationError):
        details = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in details)
    words = _REPEATED.sub("", str(error))
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= MIN_SECRET_LENGTH:
            words = words.replace(value, "***")
    return words


def import_all(
    entries: Sequence[EntryPoint], folder: Path, seconds: float, begins: Callable[[EntryPoint], None]
) -> Iterator[tuple[EntryPoint, PythonCrew | CrewBroken]]:
    """Import these factories: a crew for each, or its error. `begins` is called before each import."""
    imports = []
    for entry in entries:
        begins(entry)
        imports.append(FactoryImport(entry, folder))
        imports[-1].begin(min(SLOW_IMPORT_S, seconds))
    for each in imports:
        try:
            yield each.entry, each.within(seconds)
        except CrewBroken as error:
            yield each.entry, error
