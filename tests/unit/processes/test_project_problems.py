"""Problems of projects, as they are announced."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bot.core.project import Project
from bot.core.runs.crew import Crew, CrewProblem
from bot.processes.project_problems import ProjectProblems, source_of


class Announced:
    """A catalogue that remembers what is announced."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, bool, tuple[CrewProblem, ...]]] = []

    async def announce(
        self,
        source: str,
        crews: Sequence[Crew],
        *,
        complete: bool = True,
        problems: Sequence[CrewProblem] = (),
    ) -> None:
        assert not crews
        self.problems.append((source, complete, tuple(problems)))


async def test_that_a_worker_is_starting_is_announced_once(tmp_path: Path) -> None:
    project = Project(name="news", root=str(tmp_path))
    announced = Announced()
    problems = ProjectProblems(announced)  # type: ignore[arg-type]
    assert await problems.none_of(project)
    assert await problems.none_of(project)
    [(source, complete, [problem])] = announced.problems
    assert (source, complete) == (source_of(project), False), "what its crews are stays known"
    assert (problem.name, problem.starting) == ("news", True)


async def test_a_worker_that_can_not_start_is_not_said_to_be_starting(tmp_path: Path) -> None:
    project = Project(name="news", root=str(tmp_path / "gone"), python=sys.executable)
    announced = Announced()
    assert not await ProjectProblems(announced).none_of(project)  # type: ignore[arg-type]
    [(_, _, [problem])] = announced.problems
    assert (problem.starting, "the folder is gone" in problem.problem) == (False, True)
