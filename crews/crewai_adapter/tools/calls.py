"""CrewAI's tool calls, intercepted once for the whole process, where all of them pass.

At class level: agents that plan, tools of MCP servers, and code that calls `tool.run()` take other ways than
an agent's usual one (docs/decisions/0003-crewai-seams.md).
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any

from crewai.tools import BaseTool
from crewai.tools.structured_tool import CrewStructuredTool

from crews.crewai_adapter.tools.steps import asked_by_agent, read_by_agent, step_of
from crews.definitions import approval
from crews.human_input.arguments import InvalidArguments, check_depth
from crews.journal.serialization import in_valid_text


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
    invoke = structured.invoke
    structured.invoke = _invoke(invoke)
    structured.ainvoke = _ainvoke(structured.ainvoke, invoke)
    structured._run = _structured_run(structured._run)  # noqa: SLF001 - a seam
    approval.GUARDED = BaseTool


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)


def _wrap(cls: type[BaseTool]) -> None:
    for name, as_step in (("run", _run), ("arun", _arun), ("_run", _direct), ("_arun", _direct)):
        method = cls.__dict__.get(name)
        if method is not None and not getattr(method, "_crewdeck_step", False):
            step: Any = as_step(method)
            step._crewdeck_step = True  # noqa: SLF001 - ours
            setattr(cls, name, step)


def _run(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def run(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        step = step_of(tool)
        if step is None:
            return _held(tool, original(tool, *args, **kwargs))
        args, kwargs = _usable(tool, args), _usable(tool, kwargs)
        if step.gate is not None:
            given = _named(tool, args, kwargs)
            content = {"args": args, **kwargs}
            return step.guarded(given, lambda approved: original(tool, **approved), content)
        call = step.call({"args": args, **kwargs}, lambda: _used(tool, args, kwargs))
        return call.perform(lambda: original(tool, *args, **kwargs))

    return run


def _arun(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def arun(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        step = step_of(tool)
        if step is None:
            return await original(tool, *args, **kwargs)
        args, kwargs = _usable(tool, args), _usable(tool, kwargs)
        if step.gate is not None:
            given = _named(tool, args, kwargs)
            content = {"args": args, **kwargs}
            return await step.guarded_async(given, lambda approved: original(tool, **approved), content)
        call = step.call({"args": args, **kwargs}, lambda: _used(tool, args, kwargs))
        return await call.result_async(lambda: original(tool, *args, **kwargs))

    return arun


def _direct(original: Callable[..., Any]) -> Callable[..., Any]:
    """`_run` and `_arun`, which some code calls itself: a gate stands before them, too."""

    @wraps(original)
    def direct(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        step = step_of(tool, only_gates=True)
        if step is None:
            return original(tool, *args, **kwargs)
        given = _named(tool, _usable(tool, args), _usable(tool, kwargs))
        values = step.parameters.as_values
        return step.guarded(given, lambda approved: original(tool, **values(approved)))

    @wraps(original)
    async def direct_async(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        step = step_of(tool, only_gates=True)
        if step is None:
            return await original(tool, *args, **kwargs)
        given = _named(tool, _usable(tool, args), _usable(tool, kwargs))
        values = step.parameters.as_values
        return await step.guarded_async(given, lambda approved: original(tool, **values(approved)))

    return direct_async if inspect.iscoroutinefunction(original) else direct


def _invoke(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def invoke(tool: CrewStructuredTool, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
        step = step_of(tool)
        if step is None:
            return _held(tool, original(tool, input, config, **kwargs))
        input, kwargs = _usable(tool, input), _usable(tool, kwargs)  # noqa: A001 - CrewAI's name
        if step.gate is not None:
            return step.guarded(_given(input, kwargs), lambda approved: original(tool, approved, config))
        call = step.call({"args": (), **_given(input, kwargs)}, tool._increment_usage_count)  # noqa: SLF001
        return call.perform(lambda: original(tool, input, config, **kwargs))

    return invoke


def _ainvoke(
    original: Callable[..., Awaitable[Any]], in_thread: Callable[..., Any]
) -> Callable[..., Awaitable[Any]]:
    """`in_thread`: the original `invoke`, for functions that aren't async.

    CrewAI calls those in a thread of its own, to which an approval wouldn't follow.
    """

    @wraps(original)
    async def ainvoke(tool: CrewStructuredTool, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
        step = step_of(tool)
        if step is None:
            return await original(tool, input, config, **kwargs)
        input, kwargs = _usable(tool, input), _usable(tool, kwargs)  # noqa: A001 - CrewAI's name
        if step.gate is not None:
            given = _given(input, kwargs)
            if inspect.iscoroutinefunction(tool.func):
                return await step.guarded_async(given, lambda approved: original(tool, approved, config))
            invoked: Callable[..., Any] = lambda approved: in_thread(tool, approved, config)  # noqa: E731
            return await asyncio.to_thread(step.guarded, given, invoked)
        call = step.call({"args": (), **_given(input, kwargs)}, tool._increment_usage_count)  # noqa: SLF001
        return await call.result_async(lambda: original(tool, input, config, **kwargs))

    return ainvoke


def _structured_run(original: Callable[..., Any]) -> Callable[..., Any]:
    """`_run` of a tool without a schema, which CrewAI doesn't send through `invoke`."""

    @wraps(original)
    def run(tool: CrewStructuredTool, *args: Any, **kwargs: Any) -> Any:
        step = step_of(tool, only_gates=True) if not tool.args_schema else None
        if step is None:
            return original(tool, *args, **kwargs)
        given = _named(tool, _usable(tool, args), _usable(tool, kwargs))
        return step.guarded(given, lambda approved: original(tool, **approved))

    return run


def _held(tool: BaseTool | CrewStructuredTool, result: Any) -> Any:
    """The result, once the run may go on with it.

    What CrewAI does between an answer and the next step takes longer than handing the answer over.
    """
    if (run := asked_by_agent(tool)) is not None:
        run.wait_for_slot_in_thread()
    return result


def _usable(tool: BaseTool | CrewStructuredTool, given: Any) -> Any:
    """Arguments of valid text. Raises InvalidArguments for those of an agent that are nested too deeply."""
    if read_by_agent():
        check_depth(tool.name, given)
    return in_valid_text(given)


def _given(given: Any, more: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the form that function calling gives them."""
    if isinstance(given, str):
        with suppress(ValueError):
            given = json.loads(given)
    return {**(given if isinstance(given, dict) else {"input": given}), **more}


def _named(
    tool: BaseTool | CrewStructuredTool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """All arguments by name; people decide on names. Raises InvalidArguments."""
    if not args:
        return kwargs
    function = getattr(tool, "func", None) or type(tool)._run  # noqa: SLF001 - whose parameters they are
    owner = () if getattr(tool, "func", None) else (tool,)
    try:
        bound = inspect.signature(function).bind(*owner, *args, **kwargs)
    except TypeError as error:
        raise InvalidArguments(f"{tool.name} can't be called so: {error}") from error
    kinds = inspect.signature(function).parameters
    named = {name: each for name, each in bound.arguments.items() if name != "self"}
    for name in [*named]:
        if kinds[name].kind is inspect.Parameter.VAR_KEYWORD:
            named |= named.pop(name)
        elif kinds[name].kind is inspect.Parameter.VAR_POSITIONAL:
            raise InvalidArguments(f"{tool.name} needs an approval, so call it with named arguments.")
    return named


def _used(tool: BaseTool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Count a use that CrewAI would have counted: arguments that it refuses are none."""
    with suppress(ValueError):
        if not args:
            tool._validate_kwargs(kwargs)  # noqa: SLF001 - as `run` does
        tool._claim_usage()  # noqa: SLF001 - as `run` does
