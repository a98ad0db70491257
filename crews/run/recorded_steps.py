"""The records of a run's steps: found, or written as each step ends.

A result that can't be read any more, since a class has changed, is that of a step that is taken again, if the
requester says so.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools return anything
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

from bot.core.ports.journal import FAILED
from crews.journal.exceptions import read_error, says, write_error
from crews.journal.journal import repeated_step_name
from crews.journal.model_call import RecordedStep
from crews.journal.serialization import Unreadable, encode
from crews.run import system_questions
from crews.run.questions import HumanQuestions


def unchanged(result: Any) -> Any:
    """The recorded result as it is."""
    return result


class RecordedSteps:
    """The recorded steps of one run. Called from any thread except the event loops' of the worker."""

    def __init__(self, questions: HumanQuestions) -> None:
        self._questions = questions
        self._run = questions.run
        self._journal = self._run.history.journal
        self._writer = self._run.writer

    def find(
        self,
        name: str,
        what: str,
        expected: type[BaseModel] | None = None,
        read: Callable[[Any], Any] = unchanged,
    ) -> RecordedStep:
        """The step with this name; where its result can't be read, the one that is taken again.

        `what`: the source of the result, in words. `read`: converts the result; raises Unreadable.
        The requester says whether a step is taken again. Raises RunExit if not.
        """
        step = RecordedStep(name, self._journal.found(name))
        if step.recorded is None or FAILED in step.recorded:
            return step
        try:
            read(step.result(expected))
        except Unreadable as error:
            changed = f"what {what} can't be read any more, since {error}."
            system_questions.confirm_nondeterminism(
                self._questions, changed, f"unreadable/{name}", kept="That step is taken again."
            )
            return self.find(repeated_step_name(name), what, expected, read)
        return step

    @contextmanager
    def executing(self) -> Iterator[None]:
        """A step is taken while the block runs. Raises RunExit if the run has to leave."""
        with self._run.activity.step():
            self._run.check()
            yield

    def record(
        self,
        step: RecordedStep,
        result: Any,
        expected: type[BaseModel] | None = None,
        more: Mapping[str, Any] | None = None,
        *,
        now: bool = False,
    ) -> Any:
        """Record the result and return it as a replay would return it."""
        written = self._write(step.name, {"result": encode(result, expected), **(more or {})}, now=now)
        return RecordedStep(step.name, written).result(expected)

    def record_failure(
        self,
        step: RecordedStep,
        error: Exception,
        more: Mapping[str, Any] | None = None,
        *,
        now: bool = False,
    ) -> Exception:
        """Record a failure like a result, so that CrewAI handles it the same way in a replay.

        Returns what is to be raised: the same, or with valid words if its own aren't, or can't be said.
        """
        written = self._write(step.name, {**write_error(error), **(more or {})}, now=now)
        return error if says(error, written[FAILED]) else read_error(written)

    def _write(self, name: str, value: dict[str, Any], *, now: bool) -> Any:
        """Record a value; return it as it will be read, without waiting until it is written."""
        written = json.dumps(value)
        (self._writer.write_at_once if now else self._writer.write)(name, written)
        read = json.loads(written)
        self._journal.recorded(name, read)
        return read
