"""CrewAI's executor, which waits for people on the event loop instead of in a thread.

The executor is a Flow whose nodes run in threads. Two of them are overridden as coroutines, which CrewAI
awaits on the loop: they await the people first, then let the parent call the tools in a thread, where
`ask_human` finds its answer waiting.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, ClassVar, Literal

from crewai.agents.agent_executor import AgentExecutor, AgentExecutorState
from crewai.agents.parser import AgentAction
from crewai.flow.flow import FlowState
from crewai.tools.agent_tools.base_agent_tools import BaseAgentTool
from crewai.utilities.agent_utils import extract_tool_call_info, parse_tool_call_args
from crewai.utilities.string_utils import sanitize_tool_name
from pydantic import ValidationError

from crews import interrupted
from crews.context import CURRENT, RunContext
from crews.desk import Asking
from crews.humans import ANSWERS, NAME, Answers, AskHumanArgs, told
from crews.interrupted import OnInterrupted


class _State(FlowState, AgentExecutorState):
    """What an executor keeps. CrewAI would make a class like this for each one, which takes milliseconds."""


class CrewdeckExecutor(AgentExecutor):
    """`Agent.executor_class` of every agent that Crewdeck runs. Outside of a run it is CrewAI's own."""

    # A Flow finds its nodes in the class's own dictionary: without the parent's graph it would have but two.
    _flow_definition: ClassVar[Any] = AgentExecutor.flow_definition()

    def _create_initial_state(self) -> AgentExecutorState:
        return _State()

    async def execute_native_tool(  # type: ignore[override]
        self,
    ) -> Literal["native_tool_completed", "tool_result_is_final"]:
        """The tool calls of one turn, of a model with function calling."""
        run = CURRENT.get()
        if run is not None:
            await self._ask(run, list(self._native_questions()))
            self._available_functions = {
                name: self._as_step(name, function) for name, function in self._available_functions.items()
            }
        return await asyncio.to_thread(AgentExecutor.execute_native_tool.__get__(self))

    async def execute_tool_action(  # type: ignore[override]
        self,
    ) -> Literal["tool_completed", "tool_result_is_final"]:
        """The tool call of one turn, of a model without function calling (ReAct)."""
        run = CURRENT.get()
        if run is not None:
            await self._ask(run, list(self._written_question()))
            for tool in self.tools:
                object.__setattr__(tool, "func", self._as_step(tool.name, tool.func))
        return await asyncio.to_thread(AgentExecutor.execute_tool_action.__get__(self))

    async def _ask(self, run: RunContext, calls: list[AskHumanArgs]) -> None:
        """Put all questions of a turn to people at once, and keep the answers for the tool."""
        if not calls:
            return
        outcomes = await asyncio.gather(*(run.desk.ask(self._asking(run, args)) for args in calls))
        answers = Answers()
        for args, question in zip(calls, outcomes, strict=True):
            answers.put(args, told(question))
        ANSWERS.set(answers)

    def _as_step(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A tool's function as a step of whichever run calls it."""
        if name == NAME or getattr(function, "_crewdeck_step", False):
            return function
        tool = next(
            (tool for tool in self.original_tools or () if sanitize_tool_name(tool.name) == name), None
        )
        container = isinstance(tool, BaseAgentTool)
        return _wrapped(name, function, None if container else interrupted.declared(tool))

    def _asking(self, run: RunContext, args: AskHumanArgs) -> Asking:
        return run.asking_of(self.task, self.agent, args.asking())

    def _native_questions(self) -> Iterator[AskHumanArgs]:
        for call in self.state.pending_tool_calls:
            info = extract_tool_call_info(call)
            if info is None or info[1] != NAME:
                continue
            arguments, error = parse_tool_call_args(info[2], info[1], info[0])
            if error is None:
                yield from _understood(arguments)

    def _written_question(self) -> Iterator[AskHumanArgs]:
        action = self.state.current_answer
        if not isinstance(action, AgentAction) or action.tool.strip() != NAME:
            return
        try:
            arguments = json.loads(action.tool_input)
        except ValueError:
            return  # CrewAI repairs what it can; the tool then waits in its thread
        if not self._repeats(arguments):
            yield from _understood(arguments)

    def _repeats(self, arguments: object) -> bool:
        """CrewAI refuses the same call twice in a row; nobody need be asked for that."""
        last = self.tools_handler.last_used_tool if self.tools_handler else None
        return last is not None and last.tool_name == NAME and last.arguments == arguments


def _understood(arguments: object) -> Iterator[AskHumanArgs]:
    """The arguments, unless they are wrong: then the tool says so to the model and nobody is asked."""
    try:
        yield AskHumanArgs.model_validate(arguments)
    except ValidationError:
        return


def _wrapped(
    name: str, function: Callable[..., Any], on_interrupted: OnInterrupted | None
) -> Callable[..., Any]:
    """None: it hands work to another agent, whose steps are taken and recorded one by one."""

    @wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        run = CURRENT.get()
        if run is None:
            return function(*args, **kwargs)
        if on_interrupted is None:
            return run.steps.container(lambda: function(*args, **kwargs))
        arguments = {"args": args, **kwargs}
        return run.steps.tool(name, arguments, lambda: function(*args, **kwargs), on_interrupted)

    step._crewdeck_step = True  # type: ignore[attr-defined]  # noqa: SLF001
    return step
