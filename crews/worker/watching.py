"""The files that a worker's crews are made from, and which of them were edited."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import ModuleType

from bot.core.project import Project
from bot.settings import Settings
from crews.definitions.code import is_authors
from crews.definitions.defined_crews import FILES
from crews.definitions.policies_file import FILE as POLICIES
from crews.projects.discovery import SKIPPED, discover

CREW_FILES = (*FILES, "script.yaml")
SUFFIXES = frozenset({".py", ".yaml", ".yml", ".jsonc"})
"""Of a project's files. Others, such as JSON, may be what its runs write."""
NAMES = frozenset({"crew.json", "pyproject.toml", ".env"})
MAX_FILES = 5000
"""Of a project."""

Stamps = Mapping[str, tuple[int, int]]
"""By path: when a file was changed (ns), and its size."""


class WatchedFiles:
    """The files of a worker's crews. Methods read folders, so they are called in a thread.

    Made before code of authors is imported: modules that are there already are none of theirs.
    """

    def __init__(self, settings: Settings) -> None:
        self._folders = settings.crew_dirs
        self._project = settings.project
        self._declared = _files_of(settings.project) if settings.project is not None else ()
        #: The files of modules that authors wrote.
        self._modules: set[str] = set()
        self._seen = len(sys.modules)
        self._last = next(reversed(sys.modules.values()))

    def stamps(self) -> dict[str, tuple[int, int]]:
        """The state of each file that is there now."""
        found: dict[str, tuple[int, int]] = {}
        for path in (*self._own(), *self._imported()):
            try:
                status = os.stat(path)  # noqa: PTH116 - called for every file, every second
            except OSError:
                continue
            found[path] = (status.st_mtime_ns, status.st_size)
        return found

    def edited(self, before: Stamps, now: Stamps) -> set[str]:
        """What was changed, added or removed. A module that was only imported since is no edit."""
        if before == now:
            return set()  # As nearly always: the folders are read once a look, not again.
        own = set(self._own())
        changed = {path for path in before.keys() & now.keys() if before[path] != now[path]}
        return (
            changed
            | (before.keys() - now.keys())
            | {path for path in now.keys() - before.keys() if path in own}
        )

    def _own(self) -> Iterator[str]:
        if self._project is not None:
            yield from _in_project(Path(self._project.root))
            yield from self._declared
            return
        for folder in self._folders:
            yield str(folder / POLICIES)
            try:
                homes = [each.path for each in os.scandir(folder) if each.is_dir()]
            except OSError:
                continue
            yield from (os.path.join(home, name) for home in homes for name in CREW_FILES)  # noqa: PTH118 - as above

    def _imported(self) -> set[str]:
        """The files of modules that authors wrote: neither Python's, nor installed, nor Crewdeck's."""
        files = (getattr(each, "__file__", None) for each in self._newly_imported())
        self._modules.update(each for each in files if isinstance(each, str) and is_authors(each))
        return self._modules

    def _newly_imported(self) -> tuple[ModuleType, ...]:
        """Modules are in the order of their imports; of the thousands only the latest are looked at."""
        many = len(sys.modules)
        found = tuple(islice(reversed(sys.modules.values()), max(0, many - self._seen) + 1))
        if found[-1] is not self._last:  # Some were removed meanwhile.
            found = tuple(reversed(sys.modules.values()))
        self._seen, self._last = many, found[0]
        return found


def _in_project(root: Path) -> Iterator[str]:
    looked_at = 0
    for folder, folders, files in os.walk(root):
        folders[:] = [each for each in folders if each not in SKIPPED and not each.startswith(".")]
        for name in files:
            looked_at += 1
            if looked_at > MAX_FILES:
                return
            if name in NAMES or os.path.splitext(name)[1] in SUFFIXES:  # noqa: PTH122 - as above
                yield os.path.join(folder, name)  # noqa: PTH118 - as above


def _files_of(project: Project) -> tuple[str, ...]:
    """What its crews and flows are declared in, whatever the suffix."""
    return tuple(str(each.file) for each in discover(project).candidates)
