"""The YAML files of a `@CrewBase` class are read once in a process.

CrewAI reads them for each crew that it builds, so that an edit would be in new runs of a worker that was
started before, also a broken one. A worker that starts later has the edit.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - the seam is private
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crewai.project import crew_base


def install() -> None:
    """Once per process, before classes are decorated."""
    if getattr(crew_base, "_crewdeck_reads_once", False):
        return
    injected: Any = crew_base
    ours = staticmethod(_read_once(crew_base.load_yaml))
    injected._METHODS_TO_INJECT = tuple(
        ours if isinstance(each, staticmethod) and each.__func__ is crew_base.load_yaml else each
        for each in crew_base._METHODS_TO_INJECT
    )
    injected._crewdeck_reads_once = True


def _read_once(read: Callable[[Path], dict[str, Any]]) -> Callable[[Path], dict[str, Any]]:
    contents: dict[Path, dict[str, Any]] = {}

    def load_yaml(config_path: Path) -> dict[str, Any]:
        """A copy of what the file had when it was read first: classes change what they get."""
        if config_path not in contents:
            contents[config_path] = read(config_path)
        return copy.deepcopy(contents[config_path])

    return load_yaml
