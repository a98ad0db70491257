"""CrewAI's tool calls, intercepted once for the whole process, where all of them pass.

At class level: agents that plan, tools of MCP servers, and code that calls `tool.run()` take other ways than
an agent's usual one (docs/decisions/0003-crewai-seams.md).
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
import contextvars
import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import wraps
from typing import Any

import structlog
from crewai.tools import BaseTool
from crewai.tools.agent_tools.base_agent_tools import BaseAgentTool
from crewai.tools.structured_tool import CrewStructuredTool

from bot.core.ports import Fenced
from crews.definitions.tool_options import declared
from crews.human_input.ask_human import AskHuman
from crews.journal.serialization import Unwritable, in_valid_text, read, write
from crews.run import failures
from crews.run.context import AGENT, CURRENT, INSIDE_TOOL, RunContext
from crews.run.exits import Leave

log = structlog.get_logger(__name__)

NOT_SERIALIZABLE = "unwritten"
"""Recorded in place of a result that can't be told in JSON."""


def install() -> None:
    """Send the tool calls of every class, also of later ones, through the run's recorder."""
    base: Any = BaseTool
    if getattr(base, "_crewdeck_installed", False):
        return
    initialized = base.__dict__["__init_subclass__"].__func__

    def init_subclass(cls: type[Any], /, **options: Any) -> None:
        initialized(cls, **options)
        _wrap(cls)

    base.__init_subclass__ = classmethod(init_subclass)
    base._crewdeck_installed = True  # noqa: SLF001 - a seam
    for known in (base, *_subclasses(base)):
        _wrap(known)
    structured: Any = CrewStructuredTool
    structured.invoke = _invoke(structured.invoke)
    structured.ainvoke = _ainvoke(structured.ainvoke)


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)


def _wrap(cls: type[BaseTool]) -> None:
    for name, as_step in (("run", _run), ("arun", _arun)):
        method = cls.__dict__.get(name)
        if method is not None:
            setattr(cls, name, as_step(method))


def _run(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def run(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        context = _run_of(tool)
        if context is None:
            return original(tool, *args, **kwargs)
        args, kwargs = in_valid_text(args), in_valid_text(kwargs)
        call = _Call(context, tool, {"args": args, **kwargs}, lambda: _used(tool, args, kwargs))
        return call.made(lambda: original(tool, *args, **kwargs))

    return run


def _arun(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def arun(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        context = _run_of(tool)
        if context is None:
            return await original(tool, *args, **kwargs)
        call = _Call(context, tool, {"args": args, **kwargs}, lambda: _used(tool, args, kwargs))
        return await call.result_async(lambda: original(tool, *args, **kwargs))

    return arun


def _invoke(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def invoke(tool: CrewStructuredTool, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
        context = _run_of(tool)
        if context is None:
            return original(tool, input, config, **kwargs)
        input, kwargs = in_valid_text(input), in_valid_text(kwargs)  # noqa: A001 - CrewAI's name
        call = _Call(context, tool, _arguments(input, kwargs), tool._increment_usage_count)  # noqa: SLF001
        return call.made(lambda: original(tool, input, config, **kwargs))

    return invoke


def _ainvoke(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def ainvoke(tool: CrewStructuredTool, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
        context = _run_of(tool)
        if context is None:
            return await original(tool, input, config, **kwargs)
        input, kwargs = in_valid_text(input), in_valid_text(kwargs)  # noqa: A001 - CrewAI's name
        call = _Call(context, tool, _arguments(input, kwargs), tool._increment_usage_count)  # noqa: SLF001
        return await call.result_async(lambda: original(tool, input, config, **kwargs))

    return ainvoke


def _arguments(given: Any, more: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the form that function calling gives them."""
    if isinstance(given, str):
        with suppress(ValueError):
            given = json.loads(given)
    return {"args": (), **(given if isinstance(given, dict) else {"input": given}), **more}


def _run_of(tool: BaseTool | CrewStructuredTool) -> RunContext | None:
    """The run that this call is a step of; None outside of runs and inside of another tool's call."""
    if INSIDE_TOOL.get() or isinstance(_original(tool), AskHuman):
        return None
    return CURRENT.get()


def _original(tool: BaseTool | CrewStructuredTool) -> Any:
    """The tool that its author wrote."""
    return getattr(tool, "_original_tool", None) or tool


def _used(tool: BaseTool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Count a use that CrewAI would have counted: arguments that it refuses are none."""
    with suppress(ValueError):
        if not args:
            tool._validate_kwargs(kwargs)  # noqa: SLF001 - as `run` does
        tool._claim_usage()  # noqa: SLF001 - as `run` does


class _Call:
    """One call of a tool, in a run."""

    def __init__(
        self,
        run: RunContext,
        tool: BaseTool | CrewStructuredTool,
        arguments: dict[str, Any],
        used: Callable[[], None],
    ) -> None:
        """`used` counts a use of the tool where the call is replayed."""
        self._run = run
        self._tool = tool
        self._arguments = arguments
        self._used = used
        #: An agent reads text; code that calls a tool itself gets the very values.
        self._read_by_agent = AGENT.get() is not None
        self._begun = False

    def made(self, call: Callable[[], Any]) -> Any:
        """The result of the call, or the recorded one."""
        original = _original(self._tool)
        if isinstance(original, BaseAgentTool):
            return self._run.recorder.delegated(call)
        came_to: list[Any] = []

        def begin() -> Any:
            self._begun = True
            came_to.append(self._inside(call))
            return self._written(came_to[0])

        try:
            result = self._run.recorder.tool_call(self._tool.name, self._arguments, begin, declared(original))
        finally:
            if not self._begun:
                self._used()
        if self._read_by_agent:
            return result
        if result == {NOT_SERIALIZABLE: True}:
            return came_to[0] if came_to else self._inside(call)
        return read(result)

    async def result_async(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The same for an async call, which runs on the caller's loop."""
        loop = asyncio.get_running_loop()
        under_way: list[Future[Any]] = []

        async def awaited() -> Any:
            return await call()

        def wait() -> Any:
            under_way.append(asyncio.run_coroutine_threadsafe(awaited(), loop))
            return under_way[-1].result()

        try:
            return await asyncio.to_thread(contextvars.copy_context().run, self.made, wait)
        except asyncio.CancelledError:
            for each in under_way:
                each.cancel()
            raise

    def _inside(self, call: Callable[[], Any]) -> Any:
        token = INSIDE_TOOL.set(True)
        try:
            return call()
        except (Exception, Leave, Fenced):
            raise
        except BaseException as error:
            log.exception(
                "a tool would have ended the process", run_id=self._run.run_id, tool=self._tool.name
            )
            raise self._run.stop(failures.of_tool(self._tool.name, error)) from error
        finally:
            INSIDE_TOOL.reset(token)

    def _written(self, result: Any) -> Any:
        """The result as it is recorded."""
        if self._read_by_agent:
            return result
        try:
            return write(result)
        except Unwritable as error:
            log.warning(
                "a tool's result can't be recorded: it is called again when the run is taken up",
                run_id=self._run.run_id,
                tool=self._tool.name,
                reason=str(error),
            )
            return {NOT_SERIALIZABLE: True}
