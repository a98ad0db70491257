"""Tools that several runs share: of those with a limit of uses each run has its own."""

from typing import Any

from crews.definitions.tool_options import is_made_by


class Run:
    """What the module needs of a run."""

    stopped: object = None


def made(limit: int | None) -> Any:  # noqa: ANN401 - CrewAI is imported only here
    from crewai.tools import BaseTool

    class Limited(BaseTool):
        name: str = "limited"
        description: str = "May be used so often."

        def _run(self) -> str:
            return "done"

    return Limited(max_usage_count=limit)


def own(run: Run, tool: object) -> Any:  # noqa: ANN401
    from crews.crewai_adapter.tools.shared import tools_of_run

    given: Any = (run, [tool])
    [found] = tools_of_run(*given)
    return found


SHARED: Any = None
"""The tool that a crew names, in place of its class."""


def test_a_run_keeps_the_tool_that_nobody_else_uses() -> None:
    tool, run = made(2), Run()
    assert own(run, tool) is tool
    assert own(run, tool) is tool


def test_a_second_run_has_a_copy_that_counts_for_itself() -> None:
    tool, first, second = made(2), Run(), Run()
    assert own(first, tool) is tool
    tool.current_usage_count = 2
    copy = own(second, tool)
    assert copy is not tool
    assert copy.current_usage_count == 0
    assert own(second, tool) is copy
    assert own(second, copy) is copy
    copy.run()
    assert (tool.current_usage_count, copy.current_usage_count) == (2, 1)


def test_a_run_that_is_over_uses_nothing() -> None:
    tool, first, second = made(2), Run(), Run()
    own(first, tool)
    first.stopped = "it is over"
    assert own(second, tool) is tool
    assert own(first, tool) is not tool


def test_tools_without_a_limit_are_shared() -> None:
    tool = made(None)
    assert own(Run(), tool) is own(Run(), tool) is tool


def test_an_approval_stands_before_a_copy_too() -> None:
    """Also where the crew names the tool itself: a copy is made by what it is a copy of, and no other is."""
    global SHARED
    SHARED, first, second = made(2), Run(), Run()
    own(first, SHARED)
    assert is_made_by(own(second, SHARED), f"{__name__}:SHARED")
    assert not is_made_by(made(2), f"{__name__}:SHARED")
