"""Crews that do several things at a time, one of which comes to its question late."""

from typing import Any

from crewai import Crew
from crewai.flow.flow import Flow, listen, start

from crewdeck import crew
from tests.contract.crews.plainbox import PROMPT, agent, side_by_side


@crew(title="Tasks", inputs=PROMPT, main_input="prompt")
def tasks(inputs: dict[str, Any]) -> Crew:
    return side_by_side(inputs)


class Awaits(Flow[Any]):
    @start()
    async def works(self) -> str:
        awaited = side_by_side({})
        # CrewAI lets an agent await one task at a time.
        awaited.tasks[1].agent = agent("Another worker")
        return str(await awaited.akickoff(inputs={"prompt": "-"}))


class Works(Flow[Any]):
    @start()
    def works(self) -> str:
        return str(side_by_side({}).kickoff(inputs={"prompt": "-"}))


class Beside(Flow[Any]):
    """A method that asks, and beside it one that works after another one."""

    @start()
    def asks(self) -> str:
        return str(self.ask("For first?"))

    @start()
    def begins(self) -> str:
        return "begun"

    @listen(begins)
    def works(self) -> str:
        return str(side_by_side({}).kickoff(inputs={"prompt": "-"}))


@crew(title="Awaited tasks", inputs=PROMPT, main_input="prompt")
def awaited_tasks(_inputs: dict[str, Any]) -> Flow[Any]:
    return Awaits()


@crew(title="Tasks in a method", inputs=PROMPT, main_input="prompt")
def tasks_in_a_method(_inputs: dict[str, Any]) -> Flow[Any]:
    return Works()


@crew(title="Methods", inputs=PROMPT, main_input="prompt")
def methods(_inputs: dict[str, Any]) -> Flow[Any]:
    return Beside()
