"""Patches of CrewAI's agent executor: tools and questions know the agent and task that they belong to."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import inspect
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from types import MappingProxyType
from typing import Any

from crewai.agents import agent_executor
from crewai.agents.agent_executor import AgentExecutor, AgentExecutorState
from crewai.agents.step_executor import StepExecutor
from crewai.flow import runtime
from crewai.flow.flow import FlowState
from crewai.flow.flow_definition import FlowDefinitionCondition
from crewai.flow.flow_wrappers import FlowMethod
from crewai.tools.agent_tools.base_agent_tools import BaseAgentTool
from crewai.utilities.agent_utils import extract_tool_call_info, parse_tool_call_args
from crewai.utilities.string_utils import sanitize_tool_name

from crews.crewai_adapter.execution.branches import context_of
from crews.crewai_adapter.tools.usage import WANTED
from crews.definitions.approval import APPROVED_CALLS
from crews.journal.occurrences import DuplicateCalls
from crews.run.context import AGENT, CURRENT, INSIDE_TOOL, AgentAtWork

MAX_CONCURRENT_TOOL_CALLS = 512
"""Tool calls of one turn that are made at the same time."""


class _State(FlowState, AgentExecutorState):
    """An executor's state. CrewAI creates a class like this for each executor, which takes milliseconds."""


class _Pool(ThreadPoolExecutor):
    """CrewAI makes at most 8 tool calls of a turn concurrently: a ninth question would wait for answers."""

    def __init__(self, max_workers: int | None = None) -> None:  # noqa: ARG002
        super().__init__(MAX_CONCURRENT_TOOL_CALLS, thread_name_prefix="tool")

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        run = CURRENT.get()
        if run is None:
            return super().submit(call, *args, **kwargs)
        made = partial(call, *args, **kwargs)
        return run.activity.track_call(made, submit=super().submit, context=context_of(call))


def install() -> None:
    """Patch the executor, once per process."""
    executor: Any = AgentExecutor
    module: Any = agent_executor
    if "_crewdeck_installed" in vars(executor):  # Flow, the base class, has it, too.
        return
    executor._create_initial_state = lambda _self: _State()  # noqa: SLF001 - a seam
    executor._condition_met = _condition_met  # noqa: SLF001
    _share_signatures()
    executor.invoke = _invoke(executor.invoke)
    executor.invoke_async = _invoke_async(executor.invoke_async)
    executor._should_parallelize_native_tool_calls = _beside_each_other(  # noqa: SLF001
        executor._should_parallelize_native_tool_calls  # noqa: SLF001
    )
    executor._execute_single_native_tool_call = _numbered(executor._execute_single_native_tool_call)  # noqa: SLF001
    module.ThreadPoolExecutor = _Pool
    steps: Any = StepExecutor
    steps.execute = _beside_others(steps.execute)
    executor._crewdeck_installed = True  # noqa: SLF001


def _condition_met(
    _executor: AgentExecutor, condition: FlowDefinitionCondition, trigger: str, _key: object
) -> bool:
    """Whether this trigger meets the condition; an executor has none that takes several.

    CrewAI would remember for each of its methods all triggers that did not meet the method's condition.
    """
    return runtime._condition_satisfied(condition, {str(trigger)})  # noqa: SLF001


def _share_signatures() -> None:
    """Derive the signatures of an executor's methods once; CrewAI derives them for each executor."""
    for each in vars(AgentExecutor).values():
        if isinstance(each, FlowMethod):
            function: Any = each.unwrap()
            function.__signature__ = inspect.signature(function)


def _invoke(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def invoke(executor: AgentExecutor, inputs: dict[str, Any]) -> Any:
        with _at_work(executor):
            return original(executor, inputs)

    return invoke


def _invoke_async(
    original: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(original)
    async def invoke(executor: AgentExecutor, inputs: dict[str, Any]) -> Any:
        with _at_work(executor):
            return await original(executor, inputs)

    return invoke


def _beside_others(original: Callable[..., Any]) -> Callable[..., Any]:
    """Steps of a plan may run concurrently, each with its own model calls and tool calls."""

    @wraps(original)
    def execute(*args: Any, **kwargs: Any) -> Any:
        run = CURRENT.get()
        if run is None:
            return original(*args, **kwargs)
        return run.recorder.delegated(lambda: original(*args, **kwargs))

    return execute


# ── duplicate calls of one turn ─────────────────────────────────────────────────────────────────────────────

_DUPLICATES: ContextVar[Mapping[int, tuple[DuplicateCalls, int]]] = ContextVar(
    "crewdeck_duplicate_calls", default=MappingProxyType({})
)
"""The calls of the current turn that have duplicates, by their `id`."""


def _beside_each_other(original: Callable[..., bool]) -> Callable[..., bool]:
    """Whether calls of a turn are made at the same time. Not duplicates that hand work to others.

    Those are no steps: whose model calls are whose couldn't be told when the run is taken up.
    """

    @wraps(original)
    def beside_each_other(executor: AgentExecutor, calls: list[Any]) -> bool:
        _DUPLICATES.set({})
        if not original(executor, calls):
            return False
        if CURRENT.get() is None:
            return True
        duplicates = [each for each in _grouped(calls) if len(each) > 1]
        if any(_delegates(executor, each[0]) for each in duplicates):
            return False
        groups = [(DuplicateCalls(len(each)), each) for each in duplicates]
        _DUPLICATES.set({id(call): (group, at) for group, each in groups for at, call in enumerate(each)})
        return True

    return beside_each_other


def _grouped(calls: list[Any]) -> list[list[Any]]:
    """The calls, together where they are of the same tool with the same arguments."""
    found: dict[tuple[str, str], list[Any]] = {}
    for call in calls:
        _, tool, given = extract_tool_call_info(call) or ("", "", "")
        arguments, _ = parse_tool_call_args(given, tool, "")
        written = str(given) if arguments is None else json.dumps(arguments, sort_keys=True, default=str)
        found.setdefault((tool, written), []).append(call)
    return list(found.values())


def _delegates(executor: AgentExecutor, call: Any) -> bool:
    _, name, _ = extract_tool_call_info(call) or ("", "", "")
    tools = [each for each in executor.original_tools or [] if sanitize_tool_name(each.name) == name]
    return any(isinstance(each, BaseAgentTool) for each in tools)


def _numbered(original: Callable[..., Any]) -> Callable[..., Any]:
    """What comes up in duplicate calls of a turn is numbered as the model asked for them."""

    @wraps(original)
    def execute(executor: AgentExecutor, call: Any) -> Any:
        run, duplicate = CURRENT.get(), _DUPLICATES.get().get(id(call))
        if run is None or duplicate is None:
            return original(executor, call)
        with run.history.journal.occurrences.duplicate_call(*duplicate):
            return original(executor, call)

    return execute


@contextmanager
def _at_work(executor: AgentExecutor) -> Iterator[None]:
    """What an agent calls is a step of its own, even if the agent works inside a tool."""
    agent = AGENT.set(AgentAtWork(executor.agent, executor.task))
    inside, wanted = INSIDE_TOOL.set(False), WANTED.set(None)
    # The approval covers the tool's call, not the calls of agents inside of it.
    approved = APPROVED_CALLS.set(())
    try:
        yield
    finally:
        APPROVED_CALLS.reset(approved)
        WANTED.reset(wanted)
        INSIDE_TOOL.reset(inside)
        AGENT.reset(agent)
