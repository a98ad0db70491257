"""A task's `output_file` in a run: in the run's folder, and given to people."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import hashlib
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any

import structlog
from crewai import Task
from crewai.tasks.task_output import TaskOutput

from bot.core.runs.run import RunError
from crews.run.context import CURRENT, RunContext

log = structlog.get_logger(__name__)

MAX_NAME_BYTES = 240
"""The length of a file's name; file systems take 255."""
_DIGEST_LENGTH = 8


def install() -> None:
    """Patch how tasks write their output files, once per process."""
    if getattr(Task, "_crewdeck_output_files", False):
        return
    Task._save_file = _in_folder(Task._save_file)  # type: ignore[assignment,method-assign]  # noqa: SLF001 - the seam
    interpolate = Task.interpolate_inputs_and_add_conversation_history
    Task.interpolate_inputs_and_add_conversation_history = _checked(interpolate)  # type: ignore[method-assign]
    Task._crewdeck_output_files = True  # type: ignore[attr-defined]  # noqa: SLF001


def save_output(task: Task, output: TaskOutput) -> None:
    """Write the task's output into its file, if it has one. CrewAI does so after the crew's callbacks."""
    if task.output_file:
        structured = output.pydantic.model_dump_json() if output.pydantic else output.raw
        task._save_file(output.json_dict or structured)  # noqa: SLF001 - as it does


def _in_folder(save: Callable[[Any, Any], None]) -> Callable[[Task, Any], None]:
    """Write into the run's folder, so that runs at the same time don't overwrite each other's files."""

    @wraps(save)
    def saved(self: Task, result: Any) -> None:
        run = CURRENT.get()
        if run is None or self.output_file is None:
            save(self, result)
            return
        path = _path(run, self)
        save(SimpleNamespace(output_file=str(path), create_directory=self.create_directory), result)
        if run.folder.relative(path):
            run.files.attach_output(path)
        else:
            log.info("an output_file is outside of the run's folder", run_id=run.run_id, file=path.name)

    return saved


def _checked(interpolate: Callable[..., None]) -> Callable[..., None]:
    """Refuse, before anything is done, a path that an input leads out of the run's folder."""

    @wraps(interpolate)
    def interpolated(self: Task, inputs: dict[str, Any]) -> None:
        interpolate(self, inputs)
        run = CURRENT.get()
        if run is not None and self.output_file is not None:
            _path(run, self)

    return interpolated


def _path(run: RunContext, task: Task) -> Path:
    """Where the task writes. An absolute path counts only if its author wrote it so. Raises RunExit.

    A whole paragraph as input makes a name that is too long for a file, which would be found out at the end.
    """
    path = str(PurePath(*map(_shortened, PurePath(task.output_file or "").parts)))
    written = task._original_output_file or path  # noqa: SLF001 - what its author wrote
    absolute = PurePath(written).is_absolute()
    if ".." in PurePath(path).parts or (PurePath(path).is_absolute() and not absolute):
        raise run.stop(_refused(written))
    if absolute:
        return Path(path)
    try:
        return run.files.folder / run.folder.within(path).relative_to(run.folder.path)
    except ValueError:
        raise run.stop(_refused(written)) from None


def _shortened(name: str) -> str:
    """The name of a file or folder, short enough for file systems; different ones stay different."""
    if len(os.fsencode(name)) <= MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:_DIGEST_LENGTH]
    suffix = PurePath(name).suffix
    end = f"-{digest}{suffix if len(os.fsencode(suffix)) < MAX_NAME_BYTES // 4 else ''}"
    kept = name.encode(errors="ignore")[: MAX_NAME_BYTES - len(os.fsencode(end))]
    return kept.decode(errors="ignore") + end


def _refused(written: str) -> RunError:
    return RunError(
        code="invalid_output_file",
        message=f"With these inputs the output_file {written} would be outside of the run's folder. "
        "Start it with inputs that are no paths.",
    )
