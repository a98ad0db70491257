"""Kinds of tasks, by the names that CrewAI's own files give them."""

from __future__ import annotations

from crewai import Task
from crewai.tasks.conditional_task import ConditionalTask

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
