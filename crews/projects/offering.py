"""What the worker of a project can run. Imports crewai only where its release is one that is supported."""

from __future__ import annotations

import structlog

from bot.core.project import Project
from bot.core.runs.crew import CrewProblem
from bot.settings import Settings
from crews.building.offer import Offer
from crews.crewai_adapter import platform_catalog, version

log = structlog.get_logger(__name__)


def offer_of(project: Project, settings: Settings) -> Offer:
    """The crews of the project and its problems; none where its CrewAI is of another release.

    There, steps could be done twice, and questions be missed.
    """
    found = version.compare()
    if found["state"] == "broken":
        words = f"{project.environment or project.root}: CrewAI {found['words']}"
        problem = CrewProblem(name=project.name, problem=words, remedy=found["remedy"])
        log.error("A project can't be run", project=project.name, problem=problem.sentence)
        return Offer({}, (problem,))
    platform_catalog.drop_tools()
    from crews.projects.loading import load  # crewai

    return load(project, settings)
