"""The catalogue of crews, from a separate process: this one never imports crews or crewai."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from bot.commands.output import print_to_stderr
from bot.core.errors import SettingsError
from bot.core.forms.fields import Field
from bot.core.project import Project
from bot.core.runs.crew import Crew, CrewProblem
from bot.core.text import terminal_safe
from bot.processes.project_problems import problem_of
from bot.processes.projects import find_configured
from bot.processes.worker_environment import worker_environment, worker_pipe
from bot.processes.worker_process import command
from bot.settings import Settings

LOAD_TIMEOUT_S = 120.0
"""Time in addition to `settings.build_timeout`: importing crewai alone takes several seconds."""
MAX_AT_ONCE = 2
"""Processes that import crewai at the same time."""
PROBLEM = "problem"
"""The key of a record that says why a crew, or a project, can't be offered."""
IMPORTING = "importing"
"""The key of a record that names the crew that is imported next."""
SKIP = "--skip="
"""The option of `python -m crews check` with a crew to leave out."""


def ask_crews(settings: Settings, what: str, project: Project | None = None) -> list[dict[str, Any]]:
    """Parse the records that `python -m crews <what>` prints, for a project in its environment.

    Raises SettingsError if it fails.
    """
    done, records = _asked(settings, what, project=project)
    if done.returncode != 0:
        raise SettingsError(_died(done, records) or _why(done))
    return [record for record in records if IMPORTING not in record]


def check_crews(settings: Settings, folders: Sequence[str] = ()) -> list[dict[str, Any]]:
    """All findings about the crews of these folders, or of all that are configured, and about CrewAI.

    A crew that ends the process while it is built is one finding more; the others are checked without it.
    Raises SettingsError if the crews can't be read.
    """
    deadly: list[dict[str, Any]] = []
    while True:
        skip = [f"{SKIP}{each['crew']}" for each in deadly]
        done, records = _asked(settings, "check", *skip, *folders)
        if done.returncode == 0:
            return [*(record for record in records if IMPORTING not in record), *deadly]
        died = _died(done, records)
        if not died or any(each["crew"] == records[-1]["crew"] for each in deadly):
            raise SettingsError(died or _why(done))
        remedy = "Correct its module, which must not end the process."
        found = {"crew": records[-1]["crew"], "severity": "error", "code": "process_ended"}
        where = {"file": "", "line": 0, "column": 0, "key": ""}
        deadly.append({**found, **where, "message": died, "remedy": remedy})


def check_project(settings: Settings, project: Project) -> list[dict[str, Any]]:
    """The findings about a project, in its environment; about CrewAI there only if it isn't well."""
    problem = asyncio.run(problem_of(project))
    if problem is None:
        try:
            found = ask_crews(settings, "check", project)
        except SettingsError as error:
            problem = CrewProblem(name=project.name, problem=str(error))
        else:
            return [each for each in found if "crew" in each or each["state"] != "ok"]
    what = {"crew": project.name, "severity": "error", "code": "project_broken", "message": problem.problem}
    return [{**what, "remedy": problem.remedy, "file": "", "line": 0, "column": 0, "key": ""}]


def _asked(
    settings: Settings, what: str, *arguments: str, project: Project | None = None
) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    try:
        with worker_pipe(worker_environment(settings, project=project)) as handover:
            done = subprocess.run(
                (*command(what, project), *arguments),
                cwd=project.root if project is not None else None,
                env=handover.environment,
                pass_fds=(handover.descriptor,),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="backslashreplace",
                check=False,
                timeout=LOAD_TIMEOUT_S + settings.build_timeout,
            )
    except subprocess.TimeoutExpired:
        raise SettingsError(
            f"The crews did not load within {LOAD_TIMEOUT_S + settings.build_timeout:g} s."
        ) from None
    except OSError as error:
        raise SettingsError(f"The crews can't be read: {error}") from error
    records: list[dict[str, Any]] = [
        json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")
    ]
    return done, records


def _died(done: subprocess.CompletedProcess[str], records: list[dict[str, Any]]) -> str:
    """A sentence that says which crew ended the process; empty if none did."""
    if not records or IMPORTING not in records[-1]:
        return ""
    name, what = records[-1]["crew"], records[-1][IMPORTING]
    return f"Importing {what}, the crew {name}, ends the process (status {done.returncode})"


def _why(done: subprocess.CompletedProcess[str]) -> str:
    return _last_line(done.stderr) or f"The crews can't be read (status {done.returncode})."


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def table(settings: Settings) -> str:
    """The catalogue as a table."""
    settings.require_crew_dirs()
    projects: list[Project | None] = [None, *find_configured(settings)]
    with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
        records = list(chain.from_iterable(pool.map(lambda each: _records(settings, each), projects)))
    for record in records:
        if PROBLEM in record:
            print_to_stderr(f"crewdeck: {record[PROBLEM]}")
    crews = [Crew.model_validate(record) for record in records if PROBLEM not in record]
    if not crews:
        return "There are no crews: see docs/crews.md."
    rows = [("NAME", "INPUTS", "WHAT IT DOES"), *map(_row, crews)]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{name:<{first}}  {inputs:<{second}}  {words}" for name, inputs, words in rows)


def _records(settings: Settings, project: Project | None) -> list[dict[str, Any]]:
    """What there is in a project, or in Crewdeck's own folders; a project's trouble is a record as well."""
    if project is None:
        return ask_crews(settings, "list")
    if problem := asyncio.run(problem_of(project)):
        return [{PROBLEM: f"{project.name}: {problem.sentence}"}]
    try:
        return ask_crews(settings, "list", project)
    except SettingsError as error:
        return [{PROBLEM: f"{project.name}: {error}"}]


def _row(crew: Crew) -> tuple[str, str, str]:
    cells = crew.name, " ".join(map(_input, crew.inputs)) or "-", crew.description or crew.title
    name, inputs, words = (terminal_safe(cell, one_line=True) for cell in cells)
    return name, inputs, words


def _input(field: Field) -> str:
    kind = "|".join(field.choices) or field.type
    return f"{field.name}=<{kind}>" if field.required else f"[{field.name}=<{kind}>]"
