"""Functions with which an author's code sees its run: what it is, its files, its progress."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from pydantic import JsonValue

from bot.core.errors import Refused
from bot.core.files import check_size, in_words
from crews.run.context import CURRENT
from crews.run.progress_notes import cleaned


@dataclass(frozen=True)
class Requester:
    """Who started a run."""

    #: As others know them.
    name: str
    #: Where: `slack`, `teams`, `http`, `console`.
    surface: str
    #: Their id there.
    id: str


@dataclass(frozen=True)
class CurrentRun:
    """A run, as code in it sees it."""

    #: The public `execution_id`; the same in all workers that execute the run.
    id: str
    #: The name of its crew.
    crew: str
    requester: Requester
    #: The values that it was started with. A file is the path where it can be read.
    inputs: Mapping[str, JsonValue]
    #: A number that grows each time a worker takes the run up; for logs, not for prompts.
    attempt: int
    #: Its working folder, which no other run uses. What is left in it is offered to people as files.
    folder: Path


def current_run() -> CurrentRun | None:
    """The run that this code belongs to; None outside of runs, such as under `crewai run`.

    It works in tools, methods of flows and callbacks, and in threads and tasks that have their context
    (`contextvars.copy_context()`).
    """
    context = CURRENT.get()
    if context is None:
        return None
    claim = context.claim
    by = claim.run.requester
    return CurrentRun(
        id=claim.run.id,
        crew=claim.run.crew.name,
        requester=Requester(name=by.label, surface=by.surface, id=by.user_id),
        inputs=deepcopy(claim.run.inputs),
        attempt=claim.epoch,
        folder=context.files.folder,
    )


def attach(path: str | PathLike[str], name: str | None = None, description: str | None = None) -> None:
    """Give a file to the people of the run: in its thread, in the console, over the API.

    The content is stored now, so the file may be changed or removed afterwards. `name` is shown in place of
    the file's own. The same content under the same name is given once, however often this is called. Blocks
    its thread. Outside of a run it only says on standard error which file it would be.

    Raises OSError if the file can't be read, and ValueError if it is too large.
    """
    file, run = Path(path), CURRENT.get()
    try:
        if run is None:
            _attach_outside(file, name or file.name)
        else:
            run.files.attach(file, name or "", description or "")
    except Refused as refused:
        raise ValueError(str(refused)) from None


def _attach_outside(file: Path, name: str) -> None:
    with file.open("rb"):
        size = file.stat().st_size
    check_size(name, size)
    said = f"crewdeck: {name} ({in_words(size)}) is given to nobody, since this is outside of a run: {file}"
    print(said, file=sys.stderr)  # noqa: T201


def progress(text: str) -> None:
    """Show people how far the crew is: `crewdeck.progress("Fetched 3 of 10")`.

    Returns at once. The newest text replaces the others, and at most one a second is recorded. Outside of a
    run it is printed on standard error.
    """
    run = CURRENT.get()
    if run is None:
        print(f"crewdeck: {cleaned(str(text))}", file=sys.stderr)  # noqa: T201
    else:
        run.notes.add(str(text))
