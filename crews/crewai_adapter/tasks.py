"""Tasks of CrewAI: their classes by the names in CrewAI's own files; and no storage of their outputs."""

from __future__ import annotations

# ruff: noqa: SLF001 - private names of CrewAI are what this package is for
from typing import Any

from crewai import Crew, Task
from crewai.tasks.conditional_task import ConditionalTask
from crewai.utilities.task_output_storage_handler import TaskOutputStorageHandler

_KINDS: dict[str, type[Task]] = {"Task": Task, "ConditionalTask": ConditionalTask}


def class_of_task(written: object) -> type[Task]:
    """The class of a task: what `type` says, by name or itself. Raises ValueError."""
    if written is None:
        return Task
    if isinstance(written, type) and issubclass(written, Task):
        return written
    if written not in _KINDS:
        raise ValueError(f"a task's type is {' or '.join(_KINDS)}, or a subclass of Task, not {written!r}")
    return _KINDS[str(written)]


def install() -> None:
    """Let crews that are not built by us store no task outputs either."""
    Crew.__private_attributes__["_task_output_handler"].default_factory = NoTaskOutputStorage


class NoTaskOutputStorage(TaskOutputStorageHandler):
    """CrewAI's store of task outputs, which keeps nothing.

    The real one writes the outputs of tasks into one SQLite file of the machine, and every crew empties it.
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
