"""Crews that use what plain CrewAI offers, in each place where a crew's own code is called."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from crewai import Agent, Crew, Task
from crewai.agent.planning_config import PlanningConfig
from crewai.events import crewai_event_bus
from crewai.events.types.llm_events import LLMStreamChunkEvent
from crewai.events.types.task_events import TaskCompletedEvent, TaskStartedEvent
from crewai.flow.flow import Flow, listen, start
from crewai.hooks import ToolCallHookContext, before_tool_call
from crewai.knowledge.source.string_knowledge_source import StringKnowledgeSource
from crewai.rag.core.types import Documents, Embeddings
from crewai.rag.embeddings.providers.custom.custom_provider import CustomProvider
from crewai.rag.embeddings.providers.custom.embedding_callable import CustomEmbeddingFunction
from crewai.tasks.task_output import TaskOutput
from crewai.tools import BaseTool
from crewai.tools.mcp_native_tool import MCPNativeTool
from crewai.tools.structured_tool import CrewStructuredTool
from pydantic import BaseModel

from crewdeck import AskHuman, crew
from crews.run.context import CURRENT
from crews.run.parking import QUIET_S
from tests.contract.crews.traces import Effect, trace

STARTS = Path("starts")
"""What starts slowly waits until this is there."""
MODEL = "openai/gpt-5.4-mini"
PROMPT: Any = {"prompt": {"required": True}}


@crewai_event_bus.on(LLMStreamChunkEvent)
def streamed(_source: object, event: LLMStreamChunkEvent) -> None:
    trace(f"chunk {event.chunk}")


@crewai_event_bus.on(TaskStartedEvent)
def exits_when_called(_source: object, event: TaskStartedEvent) -> None:
    if event.task is not None and "exit-in-listener" in event.task.description:
        sys.exit(3)


@crewai_event_bus.on(TaskStartedEvent)
async def exits_when_awaited(_source: object, event: TaskStartedEvent) -> None:
    exits_when_called(_source, event)


@crewai_event_bus.on(TaskCompletedEvent)
async def awaited(_source: object, event: TaskCompletedEvent) -> None:
    trace(f"heard {event.output.raw}")


@before_tool_call
def comes_late(context: ToolCallHookContext) -> None:
    """A question in whose words it says so is asked when the run has waited for others for a while."""
    if "(late)" in str(context.tool_input.get("question")):
        time.sleep(4 * QUIET_S)


class Limited(Effect):
    """May be used once."""

    name: str = "limited"
    max_usage_count: int | None = 2


class Outer(BaseTool):
    name: str = "outer"
    description: str = "Calls another tool, and people."

    def _run(self, what: str) -> str:
        inner = Effect().run(what=f"{what} inside")
        answer = AskHuman().run(question=f"Go on with {what}?")
        trace(what)
        return f"{inner}, {answer}"


class Sleep(BaseTool):
    name: str = "sleep"
    description: str = "Takes long."

    def _run(self, seconds: float) -> str:
        trace("sleeps")
        time.sleep(seconds)
        return "slept"


class Stop(BaseTool):
    name: str = "stop_engine"
    description: str = "Ends the loop on which runs wait."

    def _run(self) -> str:
        run = CURRENT.get()
        assert run is not None
        run.loop.call_soon_threadsafe(run.loop.stop)
        time.sleep(60)
        return "never"


class _Client:
    """What CrewAI needs of a client of an MCP server."""

    async def connect(self) -> None:
        await asyncio.sleep(0)

    async def disconnect(self) -> None:
        await asyncio.sleep(0)

    async def call_tool_result(self, name: str, arguments: dict[str, Any]) -> object:
        trace(f"{name} {arguments['what']}")

        class Result:
            content = f"{name} did {arguments['what']}"
            is_error = False

        return Result()


class Whatever(BaseModel):
    what: str


def mcp_tool() -> MCPNativeTool:
    return MCPNativeTool(_Client, "remote", {"args_schema": Whatever, "description": "Far away."}, "server")


def structured() -> CrewStructuredTool:
    def plainly(what: str) -> str:
        """Does something."""
        trace(f"plainly {what}")
        return f"plainly {what}"

    return CrewStructuredTool.from_function(plainly)


def agent(role: str = "Worker", **more: Any) -> Agent:
    who: dict[str, Any] = {"role": role, "goal": "Work", "backstory": "You work.", "llm": MODEL}
    return Agent(**who | {"tools": [Effect(), Limited(), Outer(), Sleep(), mcp_tool(), AskHuman()]} | more)


def task(who: Agent, name: str = "work", **more: Any) -> Task:
    options = {"description": "Do this: {prompt}", "expected_output": "Words"} | more
    return Task(name=name, agent=who, **options)


def one_task(who: Agent, **more: Any) -> Crew:
    return Crew(agents=[who], tasks=[task(who)], **more)


@crew(title="Plain", inputs=PROMPT, main_input="prompt")
def plain(_inputs: dict[str, Any]) -> Crew:
    return one_task(agent())


SHARED = Limited()


@crew(title="Shares a tool with other runs", inputs=PROMPT, main_input="prompt")
def shares(_inputs: dict[str, Any]) -> Crew:
    return one_task(agent(tools=[SHARED, AskHuman()]))


@crew(title="Slow start", inputs=PROMPT, main_input="prompt")
def slow_start(_inputs: dict[str, Any]) -> Crew:
    def wait(given: dict[str, Any] | None) -> dict[str, Any] | None:
        while not STARTS.exists():
            time.sleep(0.01)
        return given

    return one_task(agent(), before_kickoff_callbacks=[wait])


@crew(title="Streams", inputs=PROMPT, main_input="prompt")
def streams(_inputs: dict[str, Any]) -> Crew:
    return one_task(agent(), stream=True)


@crew(title="Plans", inputs=PROMPT, main_input="prompt")
def plans(_inputs: dict[str, Any]) -> Crew:
    return one_task(agent(), planning=True, planning_llm=MODEL)


@crew(title="Plans and checks", inputs=PROMPT, main_input="prompt")
def plans_and_checks(_inputs: dict[str, Any]) -> Crew:
    who = agent(tools=[])
    return Crew(agents=[who], tasks=[task(who, guardrail="It is a text.")], planning=True, planning_llm=MODEL)


@crew(title="Reasons", inputs=PROMPT, main_input="prompt")
def reasons(_inputs: dict[str, Any]) -> Crew:
    return one_task(agent(planning_config=PlanningConfig(max_attempts=1, reasoning_effort="low")))


@crew(title="Guarded", inputs=PROMPT, main_input="prompt")
def guarded(_inputs: dict[str, Any]) -> Crew:
    who = agent()
    return Crew(agents=[who], tasks=[task(who, guardrail="Says what was done. [[guardrail]]")])


class Constant(CustomEmbeddingFunction):
    """Finds everything alike."""

    def __init__(self, **_: Any) -> None: ...

    def __call__(self, input: Documents) -> Embeddings:  # noqa: A002 - as chromadb calls it
        return [np.ones(4, dtype=np.float32) for _ in input]

    @staticmethod
    def name() -> str:
        return "constant"


@crew(title="Knows", inputs=PROMPT, main_input="prompt")
def knows(_inputs: dict[str, Any]) -> Crew:
    return one_task(
        agent(),
        knowledge_sources=[StringKnowledgeSource(content="The mill stands in Rupelmonde.")],
        embedder=CustomProvider(embedding_callable=Constant),
    )


@crew(title="Limited", inputs=PROMPT, main_input="prompt")
def paced(_inputs: dict[str, Any]) -> Crew:
    return one_task(agent(), max_rpm=1)


@crew(title="Side by side", inputs=PROMPT, main_input="prompt")
def side_by_side(_inputs: dict[str, Any]) -> Crew:
    """Two tasks at a time of one agent, and one that comes after them."""
    who = agent()
    first, second = (
        task(who, name, description=f"Do this: {{prompt}} [[{name}]]", async_execution=True)
        for name in ("first", "second")
    )
    last = task(who, "last", description="Do this: {prompt} [[last]]", context=[first, second])
    return Crew(agents=[who], tasks=[first, second, last])


class CallsTools(Flow[Any]):
    @start()
    def method(self) -> str:
        did = [Effect().run(what="in a method"), structured().invoke({"what": "too"})]
        pair = Pair().run()
        assert pair == ("a", {1, 2}), pair
        did.append(str(self.ask("Go on?")))
        return ", ".join(did)


class Pair(BaseTool):
    name: str = "pair"
    description: str = "Returns what isn't JSON."

    def _run(self) -> tuple[str, set[int]]:
        trace("pair")
        return ("a", {1, 2})


@crew(title="Calls tools", inputs=PROMPT, main_input="prompt")
def calls_tools(_inputs: dict[str, Any]) -> Flow[Any]:
    return CallsTools()


@crew(title="Stops the engine", inputs=PROMPT, main_input="prompt")
def stops_engine(_inputs: dict[str, Any]) -> Crew:
    return one_task(agent(tools=[Stop()]))


# ── crews that exit ─────────────────────────────────────────────────────────────────────────────────────────


class OwnSignal(BaseException):
    """As libraries have them for control flow."""


RAISED: dict[str, Callable[[], BaseException]] = {
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "generator": GeneratorExit,
    "cancelled": asyncio.CancelledError,
    "own": OwnSignal,
}


class Exits:
    """Raises in one place, what it was told to."""

    def __init__(self, prompt: str) -> None:
        _, self._place, self._what = prompt.split()

    def at(self, place: str) -> None:
        if place == self._place:
            raised = RAISED[self._what]()
            raise raised


class ExitTool(BaseTool):
    name: str = "exit_tool"
    description: str = "Raises."
    exits: Any

    def _run(self) -> str:
        self.exits.at("tool")
        return "did nothing"


@crew(title="Exits", inputs=PROMPT, main_input="prompt")
def exits(inputs: dict[str, Any]) -> Crew:
    """`[[marker]] <place> <what>`."""
    exits = Exits(inputs["prompt"])

    def told(place: str) -> Callable[[Any], Any]:
        def callback(given: object) -> object:
            exits.at(place)
            return given

        return callback

    def guardrail(output: TaskOutput) -> tuple[bool, Any]:
        exits.at("guardrail")
        return True, output

    exits.at("factory")
    who = agent(tools=[ExitTool(exits=exits), AskHuman()], step_callback=told("step"))
    work = task(who, callback=told("task"), guardrail=guardrail, async_execution=exits._place == "async")  # noqa: SLF001
    if exits._place == "async":  # noqa: SLF001
        work.callback = told("async")
    return Crew(
        agents=[who],
        tasks=[work],
        before_kickoff_callbacks=[told("before")],
        after_kickoff_callbacks=[told("after")],
        stream=exits._place == "stream",  # noqa: SLF001
        task_callback=told("stream"),
    )


class ExitFlow(Flow[Any]):
    @start()
    def waits(self) -> str:
        return str(self.ask("Who answers?"))

    @start()
    def method(self) -> str:
        _exits(self).at("method")
        return "did nothing"

    @start()
    async def awaited(self) -> str:
        _exits(self).at("awaited")
        await asyncio.sleep(0)
        return "did nothing"

    @listen(method)
    def listens(self, _before: str) -> str:
        _exits(self).at("listener")
        sys.stdout.flush()
        return "did nothing"


def _exits(flow: Flow[Any]) -> Exits:
    return Exits(flow.state["prompt"])


@crew(title="Exits, a flow", inputs=PROMPT, main_input="prompt")
def exit_flow(_inputs: dict[str, Any]) -> Flow[Any]:
    return ExitFlow()
