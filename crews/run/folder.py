"""The working folder of a run: where it is on this machine, and how it is called elsewhere.

Its path is made of the run's id, so it is the same for each worker that has the same data folder. Journals
have a token in place of the path, so that a worker with another data folder, and the retry of a run, go on
with a folder of their own.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_TOKEN = "\ufdd4folder\ufdd4"  # noqa: S105 - a placeholder
"""Noncharacters, which no text has."""
_WRITTEN_TOKEN = json.dumps(_TOKEN)[1:-1]
_CLAIM = ".claim"
ABANDONED_AFTER_S = 7 * 24 * 3600.0
"""A folder that nobody has opened for so long is of a worker that was killed."""


def temporary() -> Folders:
    """Folders for workers that have no data folder, as in tests."""
    return Folders(Path(tempfile.gettempdir()) / f"crewdeck-runs-{os.getuid()}")


@dataclass(frozen=True)
class Folders:
    """The folders of all runs on this machine, private to the user."""

    root: Path

    def of(self, run_id: str) -> RunFolder:
        return RunFolder(self.root.expanduser().absolute(), run_id)

    def sweep(self, clock: float | None = None) -> None:
        """Remove folders that killed workers left behind."""
        before = (time.time() if clock is None else clock) - ABANDONED_AFTER_S
        for claim in self.root.expanduser().glob(f"*{_CLAIM}"):
            with suppress(OSError):
                if claim.stat().st_mtime < before:
                    self.of(claim.name.removesuffix(_CLAIM)).remove(claim.read_text())


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    root: Path
    run_id: str

    @property
    def path(self) -> Path:
        return self.root / self.run_id

    # ── its path in texts ───────────────────────────────────────────────────────────────────────────────

    def normalize(self, text: str) -> str:
        """The text with a token in place of the path, for comparisons."""
        return text.replace(str(self.path), _TOKEN) if self.run_id in text else text

    def to_portable(self, written: str) -> str:
        """JSON with a token in place of the path, for the journal."""
        return written.replace(self._written, _WRITTEN_TOKEN) if self.run_id in written else written

    def to_local(self, written: str) -> str:
        """JSON with the path where `to_portable` put the token."""
        return written.replace(_WRITTEN_TOKEN, self._written)

    @property
    def _written(self) -> str:
        return json.dumps(str(self.path))[1:-1]

    # ── on disk ─────────────────────────────────────────────────────────────────────────────────────────

    def open(self, claim: str) -> None:
        """Make the folder, and take it over from an earlier claim of the run. Raises OSError."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked(os.O_CREAT):
            self.path.mkdir(mode=0o700, exist_ok=True)
            self._claim.write_text(claim)

    def remove(self, claim: str) -> None:
        """Remove the folder with everything in it, unless another claim has taken it over."""
        with suppress(FileNotFoundError), self._locked():
            if self._claim.read_text() == claim:
                shutil.rmtree(self.path, ignore_errors=True)
                self._claim.unlink(missing_ok=True)

    def within(self, relative: str) -> Path:
        """A path in the folder. Raises ValueError for one that leads out of it."""
        path = Path(os.path.normpath(self.path / relative))
        if path == self.path or not path.is_relative_to(self.path):
            raise ValueError(f"{relative!r} is not inside of the run's folder")
        return path

    def relative(self, path: Path) -> str:
        """The path of a file relative to the folder, with slashes; empty for files elsewhere."""
        real, folder = path.resolve(), self.path.resolve()
        return real.relative_to(folder).as_posix() if real.is_relative_to(folder) else ""

    @property
    def _claim(self) -> Path:
        return self.root / f"{self.run_id}{_CLAIM}"

    @contextmanager
    def _locked(self, create: int = 0) -> Iterator[None]:
        """Keep other workers of this machine from taking the folder over or removing it.

        Each run's claim is a lock of its own: with one for all runs, those that open their folders at once
        would wait for each other, and its holder for the interpreter. Raises FileNotFoundError if there is
        no claim, without `create` (`os.O_CREAT`).
        """
        while True:
            lock = os.open(self._claim, os.O_RDWR | os.O_CLOEXEC | create, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._is_claim(lock):
                    yield
                    return
            finally:
                os.close(lock)

    def _is_claim(self, lock: int) -> bool:
        """Whether this open file is still the claim: whoever held the lock before may have removed it."""
        try:
            return os.path.samestat(os.fstat(lock), self._claim.stat())
        except FileNotFoundError:
            return False
