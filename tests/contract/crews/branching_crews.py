"""Crews that do several things at a time, one of which comes to its question late."""

from threading import Event, current_thread
from typing import Any

from crewai import Crew
from crewai.flow.flow import Flow, listen, start
from crewai.hooks import ToolCallHookContext, before_tool_call
from crewai.tools import BaseTool

from crewdeck import AskHuman, crew
from tests.contract.crews.plain_crews import PROMPT, agent, one_task, side_by_side
from tests.waiting import WITHIN


class Ticket(BaseTool):
    """Returns another number each time. Of a turn's duplicate calls the second one gets the first number."""

    name: str = "ticket"
    description: str = "Draws a number."

    def _run(self, queue: str) -> str:
        DRAWN.set()
        NUMBERS.append(queue)
        return f"number {len(NUMBERS)}"


NUMBERS: list[str] = []
DRAWN = Event()


@before_tool_call
def first_comes_second(context: ToolCallHookContext) -> None:
    """Threads of a turn are numbered in the order of its calls."""
    if context.tool_name == "ticket" and current_thread().name.endswith("_0"):
        DRAWN.wait(WITHIN)


@crew(title="Tickets", inputs=PROMPT, main_input="prompt")
def tickets(_inputs: dict[str, Any]) -> Crew:
    return one_task(agent(tools=[Ticket(), AskHuman()]))


@crew(title="Tasks", inputs=PROMPT, main_input="prompt")
def tasks(inputs: dict[str, Any]) -> Crew:
    return side_by_side(inputs)


class Awaits(Flow[Any]):
    @start()
    async def works(self) -> str:
        return str(await side_by_side({}).akickoff(inputs={"prompt": "-"}))


class AwaitsThread(Flow[Any]):
    @start()
    async def works(self) -> str:
        return str(await side_by_side({}).kickoff_async(inputs={"prompt": "-"}))


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


@crew(title="Tasks in an awaited thread", inputs=PROMPT, main_input="prompt")
def tasks_in_a_thread(_inputs: dict[str, Any]) -> Flow[Any]:
    return AwaitsThread()


@crew(title="Tasks in a method", inputs=PROMPT, main_input="prompt")
def tasks_in_a_method(_inputs: dict[str, Any]) -> Flow[Any]:
    return Works()


@crew(title="Methods", inputs=PROMPT, main_input="prompt")
def methods(_inputs: dict[str, Any]) -> Flow[Any]:
    return Beside()
