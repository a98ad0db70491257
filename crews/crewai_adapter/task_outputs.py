"""CrewAI's storage of task outputs, replaced by one that stores nothing."""

from __future__ import annotations

# ruff: noqa: SLF001 - private names of CrewAI are what this package is for
from typing import Any

from crewai import Crew
from crewai.utilities.task_output_storage_handler import TaskOutputStorageHandler


def install() -> None:
    """Let crews that are not built by us store no task outputs either."""
    Crew.__private_attributes__["_task_output_handler"].default_factory = NoTaskOutputStorage


class NoTaskOutputStorage(TaskOutputStorageHandler):
    """CrewAI's store of task outputs, which keeps nothing.

    The real one writes what tasks came to into one SQLite file of the machine, and every crew empties it.
    """

    def __init__(self) -> None:
        """Open no file."""

    def update(self, task_index: int, log: dict[str, Any]) -> None:
        pass

    def reset(self) -> None:
        pass

    def load(self) -> list[dict[str, Any]] | None:
        return None


def without_task_output_storage(crew: Crew) -> Crew:
    """The crew, which stores no task outputs from now on."""
    crew._task_output_handler = NoTaskOutputStorage()
    return crew
