"""Whether the worker of a project can be started: whether its own environment has what it needs."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from importlib.metadata import version
from pathlib import Path

from bot.core.crew import CrewProblem
from bot.core.project import Project

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
    if problem := lacking(found):
        return CrewProblem(
            name=project.name,
            problem=f"{project.environment}: {problem}",
            remedy=f"Install what a worker needs there: {add_command(project)}",
        )
    return None


def lacking(found: dict[str, object]) -> str:
    """What the environment lacks that a probe found this in; empty if nothing."""
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
