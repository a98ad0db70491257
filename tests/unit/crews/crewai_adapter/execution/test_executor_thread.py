"""An agent's executor works in the thread of its run. crewai is imported by the tests, not their module."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from bot.settings import Settings
from crewdeck.testing import call, run_crew
from crews.crewai_adapter import environment
from tests.waiting import WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from crewai import Crew


@pytest.fixture(autouse=True, scope="module")
def crewai_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    environment.prepare(Settings(data_dir=tmp_path_factory.mktemp("crewai")))


def calling(look: Callable[[], str], **more: Any) -> Crew:
    """A crew with a tool that does this."""
    from crewai import Agent, Crew, Task
    from crewai.tools import tool

    @tool
    def look_around() -> str:
        """Looks around."""
        return look()

    who = {"role": "Scout", "goal": "Look", "backstory": "You look.", "tools": [look_around], **more}
    agent = Agent(**who)
    task = Task(name="look", description="Look around", expected_output="What is there", agent=agent)
    return Crew(agents=[agent], tasks=[task])


async def eight() -> int:
    await asyncio.sleep(0)
    return 8


def with_a_new_loop() -> int:
    """As libraries do that can be used with and without a loop."""
    try:
        loop = asyncio.get_event_loop()
    except RuntimeError:
        loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(eight())
    finally:
        loop.close()


@pytest.mark.parametrize("run", [lambda: asyncio.run(eight()), with_a_new_loop])
def test_a_tool_runs_in_its_runs_thread_and_may_run_a_loop(run: Callable[[], int]) -> None:
    seen: list[tuple[str, int]] = []

    def look() -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen.append((threading.current_thread().name.partition(" ")[0], run()))
        return "seen"

    result = run_crew(lambda: calling(look), model=[call("look_around"), call("look_around"), "done"])
    assert (result.output, seen) == ("done", [("run", 8), ("run", 8)])


def test_whatever_a_tool_raises_reaches_who_waits_for_it() -> None:
    def look() -> str:
        raise SystemExit(3)

    result = run_crew(lambda: calling(look), model=[call("look_around")])
    assert (result.status, result.error and result.error.code) == ("failed", "crew_exited")


async def test_crews_on_a_loop_of_others_do_not_hold_it_up() -> None:
    """Both tools are called at the same time, in threads of their own."""
    from crewai.llms.base_llm import BaseLLM

    from crews.crewai_adapter import install
    from crews.crewai_adapter.execution import kickoff

    class Model(BaseLLM):
        def supports_function_calling(self) -> bool:
            return True

        def call(self, messages: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - as CrewAI's
            if any(each["role"] == "tool" for each in messages):
                return "done"
            return [{"id": "1", "type": "function", "function": {"name": "look_around", "arguments": "{}"}}]

    install.install()
    kickoff.suppress_console()
    both = threading.Barrier(2, timeout=WITHIN)
    crews = [calling(lambda: str(both.wait()), llm=Model(model="both")) for _ in range(2)]
    outputs = await asyncio.gather(*(crew.akickoff() for crew in crews))
    assert [str(output) for output in outputs] == ["done", "done"]
