"""`python -m crews worker | list | check`: the processes that know crews. `bot` starts them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TextIO

from bot import logging, settings
from bot.core.errors import CrewdeckError
from bot.core.project import Project
from bot.core.runs.crew import Crew
from bot.processes import garbage_collector, worker_environment
from bot.processes.start import allow_open_files
from bot.processes.worker_process import exec_crews
from bot.settings import Settings
from crews.crewai_adapter import environment, version
from crews.definitions import defined_crews
from crews.projects.offering import offer_of
from crews.projects.process_setup import set_up_process

USAGE = "usage: python -m crews worker | list | check [--skip=CREW ...] [FOLDER ...]"
SKIP = "--skip="
PLACE = re.compile(r"(?P<file>/[^:\n]+):(?P<line>\d+): (?P<message>.+)", re.DOTALL)
"""The beginning of a problem that has a place."""


def main(arguments: list[str]) -> int:
    """Run one of the commands; its exit status."""
    commands: dict[str, Callable[[Settings], int]] = {
        "worker": work,
        "list": list_crews,
        "check": partial(check, arguments=arguments[1:]),
    }
    if arguments[:1] != ["check"] and (len(arguments) != 1 or arguments[0] not in commands):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    garbage_collector.tune()
    if arguments[0] != "worker":
        _records()
    try:
        configured = worker_environment.settings_from_pipe() or settings.load()
        worker_environment.remove_withheld(configured)
        worker_environment.hide_from_processes_of_this_user()
        logging.configure(configured)
        configured.require_data_dir()
        environment.prepare(configured)
        if configured.project is None:
            # Last, so that no file there shadows a module of Crewdeck or of a library.
            sys.path.append(str(Path.cwd()))
        else:
            set_up_process(configured)
        return commands[arguments[0]](configured)
    except CrewdeckError as error:
        # `list` and `check` are called by commands, which put their own name before the line.
        sys.stderr.write(f"crewdeck: {error}\n" if arguments[0] == "worker" else f"{error}\n")
        return 2


def work(configured: Settings) -> int:
    """Be a worker until stopped or recycled; 1 if it broke, so that whoever supervises it starts another."""
    from crews.worker.serving import End, serve  # imports the store's client, which other commands don't need

    allow_open_files()
    end = asyncio.run(serve(configured))
    if end is End.OUTDATED:
        exec_crews(configured, project=configured.project)
    return 1 if end is End.BROKEN else 0


def list_crews(configured: Settings) -> int:
    """Print the defined crews, a JSON object a line. Without crewai: factories are known by name only."""
    if configured.project is not None:
        return _list_project(configured, configured.project)
    known = defined_crews.read(configured.crew_dirs)
    for problem in known.problems:
        sys.stderr.write(f"{problem}\n")
    for card in known.cards():
        _print(card.model_dump(mode="json"))
    for entry in known.factories:
        if entry.name not in known.definitions:
            card = Crew(name=entry.name, title=entry.name, description=f"In Python: {entry.value}")
            _print(card.model_dump(mode="json"))
    return 0


def _list_project(configured: Settings, project: Project) -> int:
    """The crews of a project are known once its code is imported; its problems are records, too."""
    offer = offer_of(project, configured)
    for problem in offer.problems:
        _print({"problem": f"{problem.name}: {problem.sentence}"})
    for crew in offer.crews.values():
        _print(crew.card().model_dump(mode="json"))
    return 0


def _check_project(configured: Settings, project: Project) -> int:
    """The findings about the installed CrewAI and about each crew, which loading has built once.

    What is wrong with one has been told by then; what is left are warnings.
    """
    from crews.building.check import build_finding  # crewai

    _print(dict(version.compare()))
    offer = offer_of(project, configured)
    nowhere = {"file": "", "line": 0, "column": 0, "key": ""}
    for name, crew in offer.crews.items():
        found = build_finding(crew, configured.build_timeout)
        sound = {"crew": name, "severity": "ok", "code": "", "message": "", "remedy": "", **nowhere}
        _print(found.record() if found.severity == "warning" else sound)
    for each in offer.problems:
        broken = {"crew": each.name, "severity": "error", "code": "crew_broken", **nowhere}
        if place := PLACE.match(each.problem):
            where = {"file": place["file"], "line": int(place["line"]), "message": place["message"]}
        else:
            where = {"message": each.problem}
        remedy = each.remedy or "Correct it; docs/projects.md describes it."
        _print({**broken, **where, "remedy": remedy})
    return 0


def check(configured: Settings, arguments: Sequence[str] = ()) -> int:
    """Print what follows from the installed CrewAI, then all findings about the crews: a JSON object a line.

    `arguments`: the folders to look at, without any all that are configured; and names of crews to skip.
    """
    if configured.project is not None:
        return _check_project(configured, configured.project)
    folders = [Path(each) for each in arguments if not each.startswith(SKIP)]
    skipped = [each.removeprefix(SKIP) for each in arguments if each.startswith(SKIP)]
    known = defined_crews.read_only(folders) if folders else defined_crews.read(configured.crew_dirs)
    _print(dict(version.compare()))
    from crews.building.check import check as findings  # crewai

    for finding in findings(known, configured, _begins, skipped):
        _print(finding.record())
    return 0


def _begins(crew: str, what: str) -> None:
    """Told before, and at once: should this end the process, it is known which crew did."""
    _print({"importing": what, "crew": crew})


def _print(record: dict[str, object]) -> None:
    _records().write(f"{json.dumps(record)}\n")
    _records().flush()


@cache
def _records() -> TextIO:
    """Standard output. From the first call on, what code of crews prints goes to standard error."""
    records = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return records


def start_over(what: str) -> None:
    """Execute this process again without the secrets that are in its environment."""
    try:
        configured = settings.load()
    except CrewdeckError:
        return  # `main` reports it.
    exec_crews(configured, what, worker_id=configured.worker_id)


if __name__ == "__main__":
    if worker_environment.PIPE not in os.environ and len(sys.argv) == 2:  # noqa: PLR2004 - a command
        start_over(sys.argv[1])
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit, which would wait for threads in model calls; those can't be interrupted.
    os._exit(status)
