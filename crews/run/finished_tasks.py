"""Finished tasks of a run: recorded, and restored when the run is resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from crewai import Crew, Task
from crewai.tasks.task_output import TaskOutput
from pydantic import ValidationError

from bot.core.ports.journal import DONE_PREFIX, SEEDED_PREFIX
from bot.core.text import valid
from crews.journal.journal import Journal
from crews.run.context import RunContext
from crews.run.identity import TaskIdentity, task_scope
from crews.run.token_usage import USAGE, Tokens


class FinishedTasks:
    """The finished tasks of one run. CrewAI can continue after consecutive finished tasks.

    What a later task did before an earlier one was finished (`async_execution`) stays in the journal until
    the row has reached it.
    """

    def __init__(self, run: RunContext, journal: Journal) -> None:
        self._run = run
        #: What the models of those that were restored had used, by the members of the crew.
        self.used: list[dict[str, Tokens]] = []
        self._outputs: dict[int, dict[str, Any]] = {
            int(name.removeprefix(DONE_PREFIX)): written for name, written in journal.records(DONE_PREFIX)
        }

    def restore(self, crew: Crew) -> list[TaskIdentity]:
        """Let the crew continue after its finished tasks; returns those."""
        restored = []
        for number, task in enumerate(crew.tasks, start=1):
            written = self._outputs.get(number)
            identity = self._run.identity.own(task)
            if written is None or identity is None:
                break
            task.output = _output(task, written["output"])
            self._run.recorder.models.set_count(task_scope(number), written["model_calls"])
            self.used.append(written.get(USAGE, {}))
            restored.append(identity)
        if restored:
            crew.checkpoint_kickoff_event_id = self._run.run_id
        return restored

    def record_completions(self, crew: Crew, save: Callable[[Task, TaskOutput], None]) -> None:
        """Record each task of the crew as it finishes, then call the crew's own callback.

        `save` writes its output file, which a worker that takes the run up doesn't write any more.
        """
        theirs = crew.task_callback

        def finished(output: TaskOutput) -> object:
            identity = self._run.identity.task(None)
            output.raw = valid(output.raw)  # Guardrails may have replaced the output.
            task = crew.tasks[identity.number - 1] if identity is not None else None
            if identity is not None and task is not None:
                save(task, output)
                self._record(identity, output)
            if theirs is None or (task is not None and task.callback == theirs):  # It was called already.
                return None
            self._run.writer.flush()
            return theirs(output)

        crew.task_callback = finished

    def _record(self, identity: TaskIdentity, output: TaskOutput) -> None:
        calls = self._run.recorder.models.count(task_scope(identity.number))
        used = self._run.recorder.models.usage.of(task_scope(identity.number))
        written = {"output": _written(output), "model_calls": calls, USAGE: used}
        self._outputs[identity.number] = written
        row = range(1, identity.total + 1)
        reached = next((number for number in row if number not in self._outputs), identity.total + 1)
        deleted = [
            f"{kept}{task_scope(number)}/" for number in range(1, reached) for kept in ("", SEEDED_PREFIX)
        ]
        self._run.writer.write(f"{DONE_PREFIX}{identity.number}", json.dumps(written), deleted)


def _written(output: TaskOutput) -> dict[str, Any]:
    fields = output.model_dump(mode="json", exclude={"messages", "tool_failures", "pydantic"})
    return fields | {"pydantic": output.pydantic.model_dump(mode="json") if output.pydantic else None}


def first_unreadable_task(crew: Crew, journal: Journal) -> int | None:
    """The number of the first finished task whose output doesn't fit the task's class any more."""
    finished = {
        int(name.removeprefix(DONE_PREFIX)): written for name, written in journal.records(DONE_PREFIX)
    }
    for number, task in enumerate(crew.tasks, start=1):
        try:
            if number in finished:
                _output(task, finished[number]["output"])
        except ValidationError:
            return number
    return None


def _output(task: Task, written: dict[str, Any]) -> TaskOutput:
    """The task's output. Raises ValidationError."""
    output = TaskOutput.model_validate({**written, "pydantic": None})
    if written["pydantic"] is not None and task.output_pydantic is not None:
        output.pydantic = task.output_pydantic.model_validate(written["pydantic"])
    return output
