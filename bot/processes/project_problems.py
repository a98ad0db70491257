"""Why a project's worker can't be started, or doesn't stay: found, logged, and announced with the crews."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import socket
from importlib.metadata import version
from pathlib import Path

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.store import Catalogue
from bot.core.project import Project
from bot.core.runs.crew import CrewProblem

log = structlog.get_logger(__name__)


class ProjectProblems:
    """Announces a problem instead of the project's crews; a worker that starts announces its own findings."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        #: What was logged last, by project: retries don't repeat it.
        self._logged: dict[str, CrewProblem] = {}
        #: Projects whose worker was started by this process.
        self._started: set[str] = set()

    async def none_of(self, project: Project) -> bool:
        """Whether the project's worker can start; if not, that is logged and announced.

        That the first one is starting is announced, too: nobody should take its crews for missing.
        """
        problem = await problem_of(project)
        if problem is None:
            self._logged.pop(project.name, None)
            if project.name not in self._started:
                self._started.add(project.name)
                await self._announce(project, _starting(project))
            return True
        await self._tell(project, problem)
        return False

    async def died(self, project: Project, status: int) -> None:
        """The project's worker ended; another one is started after a pause."""
        problem = CrewProblem(
            name=project.name,
            problem=f"{project.root}: its worker ended with status {status} and is started again",
            remedy="The log of the server says why.",
        )
        await self._tell(project, problem)

    async def _tell(self, project: Project, problem: CrewProblem) -> None:
        if self._logged.get(project.name) != problem:
            log.error("A project can't be run", project=project.name, problem=problem.sentence)
            self._logged[project.name] = problem
        await self._announce(project, problem)

    async def _announce(self, project: Project, problem: CrewProblem) -> None:
        try:
            # Its crews stay known: their runs wait for the worker.
            await self._catalogue.announce(source_of(project), (), complete=False, problems=(problem,))
        except StoreUnavailable as error:
            log.warning("A project's problem could not be announced", project=project.name, reason=str(error))


def _starting(project: Project) -> CrewProblem:
    return CrewProblem(
        name=project.name,
        problem="its worker is starting",
        remedy="Try again in a moment.",
        starting=True,
    )


def source_of(project: Project) -> str:
    """The source of the project's announcements on this machine."""
    return f"{socket.gethostname()}:{project.key}"


PROBE_TIMEOUT_S = 30.0
PYTHON = ((3, 11), (3, 14))
"""The releases of Python that Crewdeck runs on: from, and below."""
PROBE = """
import importlib.util, json, sys
from importlib.metadata import PackageNotFoundError, version
found = {"python": list(sys.version_info[:2])}
for name, module in (("crewdeck", "crews"), ("crewai", "crewai"), ("structlog", "structlog")):
    try:
        found[name] = version(name) if importlib.util.find_spec(module) else None
    except PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""


async def problem_of(project: Project) -> CrewProblem | None:
    """Why the project's worker can't start, with the remedy; None if it can."""
    if not await asyncio.to_thread(Path(project.root).is_dir):
        return CrewProblem(name=project.name, problem=f"{project.root}: the folder is gone")
    if not project.python:
        return None
    try:
        found = await _probe(project)
    except (OSError, TimeoutError, ValueError) as error:
        words = f"{project.environment}: its Python can't be run ({str(error) or type(error).__name__})"
        return CrewProblem(
            name=project.name, problem=words, remedy="Make the environment again, or remove it."
        )
    if problem := missing_requirements(found):
        return CrewProblem(
            name=project.name,
            problem=f"{project.environment}: {problem}",
            remedy=f"Install what a worker needs there: {add_command(project)}",
        )
    return None


def missing_requirements(found: dict[str, object]) -> str:
    """What the probed environment lacks; empty if nothing."""
    python = tuple(found["python"]) if isinstance(found["python"], list) else ()
    if not PYTHON[0] <= python < PYTHON[1]:
        return f"it has Python {'.'.join(map(str, python))}, and Crewdeck needs 3.11, 3.12 or 3.13"
    ours, theirs = version("crewdeck"), found["crewdeck"]
    if theirs is None:
        return "Crewdeck is not installed in the project's environment"
    if theirs != ours:
        return f"it has crewdeck {theirs}, and this is {ours}; both must be the same"
    if found["crewai"] is None or found["structlog"] is None:
        return 'Crewdeck is installed there without what runs crews: the extra "worker"'
    return ""


def add_command(project: Project) -> str:
    """The command that installs what is needed."""
    return f"crewdeck add {shlex.quote(project.root)}"


async def _probe(project: Project) -> dict[str, object]:
    """What is installed there. Raises OSError, TimeoutError and ValueError."""
    process = await asyncio.create_subprocess_exec(
        project.python,
        "-P",
        "-c",
        PROBE,
        cwd=project.root,
        env={"PATH": os.defpath},  # none of our secrets
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            written, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise ValueError(f"it ends with status {process.returncode}")
    found: dict[str, object] = json.loads(written)
    return found
