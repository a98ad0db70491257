"""`crewdeck worker PROJECT`: becomes the worker of a project, in its own environment if it has one."""

from __future__ import annotations

import asyncio
from typing import Never

from bot.core.errors import SettingsError
from bot.processes.project_check import problem_of
from bot.processes.projects import find
from bot.processes.worker_process import become
from bot.settings import Settings


def become_worker_of(settings: Settings, reference: str) -> Never:
    """Replace this process by a worker of the project. Raises SettingsError if that can't be started."""
    project = find(reference)
    if problem := asyncio.run(problem_of(project)):
        raise SettingsError(problem.sentence)
    become(settings, project=project)
