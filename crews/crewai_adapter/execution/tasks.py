"""Tasks of CrewAI: their classes by the names in CrewAI's own files; storage of their outputs in memory."""

from __future__ import annotations

# ruff: noqa: SLF001 - private names of CrewAI are what this package is for
import json
from typing import Any

from crewai import Crew, Task
from crewai.tasks.conditional_task import ConditionalTask
from crewai.utilities.crew_json_encoder import CrewJSONEncoder
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
    """Let crews that are not built by us store task outputs in memory, too."""
    Crew.__private_attributes__["_task_output_handler"].default_factory = TaskOutputsInMemory


def wait_for_memories(crew: Crew) -> None:
    """Return once all that the crew's agents had to remember by now is remembered.

    CrewAI writes it in a thread of its own, and waits for it at the end of the crew, and before it looks for
    what to remember.
    """
    crew._drain_memory_writes()


class TaskOutputsInMemory(TaskOutputStorageHandler):
    """CrewAI's store of task outputs, which `Crew.replay` goes on from, for one crew.

    The real one writes the outputs of tasks into one SQLite file of the machine, and every crew empties it.
    """

    def __init__(self) -> None:
        """Open no file."""
        self._stored: dict[str, dict[str, Any]] = {}

    def update(self, task_index: int, log: dict[str, Any]) -> None:
        task = log["task"]
        self._stored[str(task.id)] = {
            "task_id": str(task.id),
            "task_key": task.key,
            "expected_output": task.expected_output,
            "output": log["output"],
            "task_index": task_index,
            "inputs": log["inputs"],
            "was_replayed": log["was_replayed"],
        }

    def reset(self) -> None:
        self._stored.clear()

    def load(self) -> list[dict[str, Any]] | None:
        """In the order of the tasks, as CrewAI's file has them: as JSON."""
        in_order = sorted(self._stored.values(), key=lambda each: each["task_index"])
        read: list[dict[str, Any]] = json.loads(json.dumps(in_order, cls=CrewJSONEncoder))
        return read


def with_task_outputs_in_memory(crew: Crew) -> Crew:
    """The crew, which stores task outputs in no file from now on."""
    crew._task_output_handler = TaskOutputsInMemory()
    return crew
