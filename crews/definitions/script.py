"""The lines of a scripted model: read from `script.yaml` in a crew's folder.

`script.yaml` holds the lines of each task, under the task's name:

    write:
      - call: {ask_human: {question: "Publish this about {topic}?", kind: approval}}
        pause: "{pace}"
      - say: "Done. {ask_human}"

`{name}` is an input, the output of an earlier task in the context, or the latest result of that tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from crews.definitions import yaml_lines
from crews.definitions.validation import did_you_mean
from crews.definitions.yaml_lines import Problem

SCRIPTED = "scripted"
"""The name of this model in `crew.yaml`."""
FILE = "script.yaml"


class ScriptLine(BaseModel):
    """What the model says in one turn: words, or calls of tools."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    say: str | None = None
    call: dict[str, dict[str, JsonValue]] = {}
    #: Seconds that it takes; a number or a template of one.
    pause: str | float = 0


Script = dict[str, list[ScriptLine]]
_SCRIPT = TypeAdapter(Script)


def read_script(folder: Path) -> Script:
    """The lines in a crew's folder, by task. Raises Unreadable and ValidationError."""
    return _SCRIPT.validate_python(yaml_lines.read(folder / FILE).content)


def script_problems(folder: Path, tasks: Iterable[str]) -> Iterator[Problem]:
    """What is wrong with the script of a crew with these tasks."""
    try:
        page = yaml_lines.read(folder / FILE)
    except yaml_lines.Unreadable as error:
        yield error.problem
        return
    try:
        script = _SCRIPT.validate_python(page.content)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield page.problem(each["loc"], each["msg"])
    else:
        for name in script.keys() - set(tasks):
            yield page.problem(
                (name,), f"{name} is no task of tasks.yaml", "unknown_name", did_you_mean(name, tasks)
            )
        for name in set(tasks) - {task for task, lines in script.items() if lines}:
            yield page.problem((), f"has no lines for the task {name}", "required", "Add them.")
