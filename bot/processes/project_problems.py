"""Problems of projects whose workers don't start or don't stay: logged, and announced with the crews."""

from __future__ import annotations

import socket

import structlog

from bot.core.crew import CrewProblem
from bot.core.errors import StoreUnavailable
from bot.core.ports import Catalogue
from bot.core.project import Project
from bot.processes.project_check import problem_of

log = structlog.get_logger(__name__)


class ProjectProblems:
    """Announces a problem instead of the project's crews; a worker that starts announces its own findings."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        #: What was logged last, by project: retries don't repeat it.
        self._logged: dict[str, CrewProblem] = {}

    async def none_of(self, project: Project) -> bool:
        """Whether the project's worker can start; if not, that is logged and announced."""
        problem = await problem_of(project)
        if problem is None:
            self._logged.pop(project.name, None)
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
        try:
            # Its crews stay known: their runs wait for the worker.
            await self._catalogue.announce(source_of(project), (), complete=False, problems=(problem,))
        except StoreUnavailable as error:
            log.warning("A project's problem could not be announced", project=project.name, reason=str(error))


def source_of(project: Project) -> str:
    """The source of the project's announcements on this machine."""
    return f"{socket.gethostname()}:{project.key}"
