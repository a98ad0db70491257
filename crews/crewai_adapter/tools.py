"""CrewAI's tool calls, intercepted once for the whole process, where all of them pass.

At class level: agents that plan, tools of MCP servers, and code that calls `tool.run()` take other ways than
an agent's usual one (docs/decisions/0003-crewai-seams.md).
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
import contextvars
import hashlib
import hmac
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

import structlog
from crewai.tools import BaseTool
from crewai.tools.agent_tools.base_agent_tools import BaseAgentTool
from crewai.tools.structured_tool import CrewStructuredTool

from bot.core.ports import Fenced
from crews.definitions import approval
from crews.definitions.approval import LET_THROUGH, NotApproved, let_through, needed_by
from crews.definitions.exceptions import CrewBroken
from crews.definitions.gates import Gate
from crews.definitions.tool_options import declared, entry_guarded
from crews.human_input.arguments import InvalidArguments, Parameters
from crews.human_input.ask_human import AskHuman
from crews.human_input.tool_approvals import Approval, GuardedCall, secrets_key
from crews.journal.serialization import Unwritable, in_valid_text, read, write
from crews.run import failures
from crews.run.context import AGENT, CURRENT, INSIDE_TOOL, RunContext
from crews.run.exits import Leave

log = structlog.get_logger(__name__)

NO_STEP = (
    "{} hands work to another agent and can't wait for an approval. Let the tools that this agent uses wait."
)
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
    invoke = structured.invoke
    structured.invoke = _invoke(invoke)
    structured.ainvoke = _ainvoke(structured.ainvoke, invoke)
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
        step = _step_of(tool)
        if step is None:
            return original(tool, *args, **kwargs)
        args, kwargs = in_valid_text(args), in_valid_text(kwargs)
        if step.gate is not None:
            given = _named(tool, args, kwargs)
            return step.guarded(given, lambda approved: original(tool, **approved))
        call = step.call({"args": args, **kwargs}, lambda: _used(tool, args, kwargs))
        return call.made(lambda: original(tool, *args, **kwargs))

    return run


def _arun(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def arun(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        step = _step_of(tool)
        if step is None:
            return await original(tool, *args, **kwargs)
        if step.gate is not None:
            given = _named(tool, in_valid_text(args), in_valid_text(kwargs))
            return await step.guarded_async(given, lambda approved: original(tool, **approved))
        call = step.call({"args": args, **kwargs}, lambda: _used(tool, args, kwargs))
        return await call.result_async(lambda: original(tool, *args, **kwargs))

    return arun


def _direct(original: Callable[..., Any]) -> Callable[..., Any]:
    """`_run` and `_arun`, which some code calls itself: a gate stands before them, too."""

    @wraps(original)
    def direct(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        step = _step_of(tool, only_gates=True)
        if step is None:
            return original(tool, *args, **kwargs)
        given = _named(tool, in_valid_text(args), in_valid_text(kwargs))
        values = step.parameters.as_values
        return step.guarded(given, lambda approved: original(tool, **values(approved)))

    @wraps(original)
    async def direct_async(tool: BaseTool, *args: Any, **kwargs: Any) -> Any:
        step = _step_of(tool, only_gates=True)
        if step is None:
            return await original(tool, *args, **kwargs)
        given = _named(tool, in_valid_text(args), in_valid_text(kwargs))
        values = step.parameters.as_values
        return await step.guarded_async(given, lambda approved: original(tool, **values(approved)))

    return direct_async if inspect.iscoroutinefunction(original) else direct


def _invoke(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def invoke(tool: CrewStructuredTool, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
        step = _step_of(tool)
        if step is None:
            return original(tool, input, config, **kwargs)
        input, kwargs = in_valid_text(input), in_valid_text(kwargs)  # noqa: A001 - CrewAI's name
        if step.gate is not None:
            return step.guarded(_given(input, kwargs), lambda approved: original(tool, approved, config))
        call = step.call({"args": (), **_given(input, kwargs)}, tool._increment_usage_count)  # noqa: SLF001
        return call.made(lambda: original(tool, input, config, **kwargs))

    return invoke


def _ainvoke(
    original: Callable[..., Awaitable[Any]], in_thread: Callable[..., Any]
) -> Callable[..., Awaitable[Any]]:
    """`in_thread`: the original `invoke`, for functions that aren't async.

    CrewAI calls those in a thread of its own, to which an approval wouldn't follow.
    """

    @wraps(original)
    async def ainvoke(tool: CrewStructuredTool, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
        step = _step_of(tool)
        if step is None:
            return await original(tool, input, config, **kwargs)
        input, kwargs = in_valid_text(input), in_valid_text(kwargs)  # noqa: A001 - CrewAI's name
        if step.gate is not None:
            given = _given(input, kwargs)
            if inspect.iscoroutinefunction(tool.func):
                return await step.guarded_async(given, lambda approved: original(tool, approved, config))
            invoked: Callable[..., Any] = lambda approved: in_thread(tool, approved, config)  # noqa: E731
            return await asyncio.to_thread(step.guarded, given, invoked)
        call = step.call({"args": (), **_given(input, kwargs)}, tool._increment_usage_count)  # noqa: SLF001
        return await call.result_async(lambda: original(tool, input, config, **kwargs))

    return ainvoke


def _given(given: Any, more: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the form that function calling gives them."""
    if isinstance(given, str):
        with suppress(ValueError):
            given = json.loads(given)
    return {**(given if isinstance(given, dict) else {"input": given}), **more}


def _named(tool: BaseTool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
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


def _original(tool: BaseTool | CrewStructuredTool) -> Any:
    """The tool that its author wrote."""
    return getattr(tool, "_original_tool", None) or tool


def _parts(original: Any) -> list[object]:
    """What else the call of a tool is: of its function, and of the tool whose method that is."""
    function = getattr(original, "func", None)
    return [each for each in (needed_by(original), getattr(function, "__self__", None)) if each is not None]


def _used(tool: BaseTool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Count a use that CrewAI would have counted: arguments that it refuses are none."""
    with suppress(ValueError):
        if not args:
            tool._validate_kwargs(kwargs)  # noqa: SLF001 - as `run` does
        tool._claim_usage()  # noqa: SLF001 - as `run` does


def _step_of(tool: BaseTool | CrewStructuredTool, *, only_gates: bool = False) -> _Step | None:
    """The step that this call is; None outside of runs, and for what a tool does in its own call.

    A call that needs an approval is a step wherever it is made. Raises NotApproved outside of a run.
    """
    original = _original(tool)
    if isinstance(original, AskHuman) or any(each is original for each in LET_THROUGH.get()):
        return None
    run = CURRENT.get()
    if run is None:
        if needed_by(original) is not None or entry_guarded(original):
            raise NotApproved(
                f"{tool.name} needs an approval, so it is called in a run that Crewdeck started: in a thread "
                "that the crew works in, or with the context variables of one."
            )
        return None
    try:
        gate = run.gates.of(original)
    except CrewBroken as error:
        raise run.stop(failures.of_build(error)) from error
    if gate is None and (only_gates or INSIDE_TOOL.get()):
        return None
    return _Step(run, tool, gate)


def _never_cached(_args: object = None, _result: object = None) -> bool:
    """An approval holds for one call: the next one with the same arguments is another."""
    return False


@dataclass(frozen=True)
class _Step:
    """A call that is a step of a run."""

    run: RunContext
    tool: BaseTool | CrewStructuredTool
    gate: Gate | None

    @property
    def parameters(self) -> Parameters:
        hide = self.gate.hide if self.gate is not None else ()
        return Parameters(self.tool.name, getattr(self.tool, "args_schema", None), hide)

    def call(self, arguments: dict[str, Any], used: Callable[[], None]) -> _Call:
        """The call with these arguments, for which nobody is asked."""
        return _Call(self.run, self.tool, arguments, used)

    def guarded(self, given: dict[str, Any], call: Callable[[dict[str, Any]], Any]) -> Any:
        """The result of the call with the arguments that people have approved."""
        step, arguments = self._prepared(given)
        return step.made(lambda: call(arguments()))

    async def guarded_async(
        self, given: dict[str, Any], call: Callable[[dict[str, Any]], Awaitable[Any]]
    ) -> Any:
        """The same for an async call."""
        step, arguments = await asyncio.to_thread(self._prepared, given)
        return await step.result_async(call, lambda: (arguments(),))

    def _prepared(self, given: dict[str, Any]) -> tuple[_Call, Callable[[], dict[str, Any]]]:
        """The call, and what gives the arguments that it is made with."""
        if self.gate is None:
            raise RuntimeError("there is no gate")
        for each in (self.tool, _original(self.tool)):
            object.__setattr__(each, "cache_function", _never_cached)
        parameters = self.parameters
        try:
            wanted = parameters.read(given, lambda: secrets_key(self.run))
        except InvalidArguments as error:
            return self._invalid(given, error)
        guarded = GuardedCall(self.run, self.gate, parameters, wanted)
        approval = Approval(guarded, called_by_code=not read_by_agent())
        arguments = {"args": (), **wanted.shown, **({SECRETS: wanted.secrets} if wanted.secrets else {})}
        return _Call(self.run, self.tool, arguments, self._count, approval), approval.arguments

    def _invalid(
        self, given: dict[str, Any], error: InvalidArguments
    ) -> tuple[_Call, Callable[[], dict[str, Any]]]:
        """A call that comes to the tool's objection. Nobody is asked, and the tool isn't called."""

        def refuse() -> dict[str, Any]:
            raise error

        known_as = hmac.new(secrets_key(self.run), repr(sorted(given.items())).encode(), hashlib.sha256)
        return _Call(self.run, self.tool, {"args": (), REFUSED: known_as.hexdigest()}, self._count), refuse

    def _count(self) -> None:
        """Count a use where the call is replayed, or not let through."""
        if isinstance(self.tool, CrewStructuredTool):
            self.tool._increment_usage_count()  # noqa: SLF001
        else:
            self.tool._claim_usage()  # noqa: SLF001


SECRETS, REFUSED = "(secrets)", "(refused)"
"""Parts of the name of a step; no argument is called so."""


def read_by_agent() -> bool:
    """Whether an agent reads what a call made here comes to; otherwise code does, such as another tool's."""
    return AGENT.get() is not None and not INSIDE_TOOL.get()


class _Call:
    """One call of a tool, in a run."""

    def __init__(
        self,
        run: RunContext,
        tool: BaseTool | CrewStructuredTool,
        arguments: dict[str, Any],
        used: Callable[[], None],
        approval: Approval | None = None,
    ) -> None:
        """`used` counts a use of the tool where the call is replayed."""
        self._run = run
        self._tool = tool
        self._arguments = arguments
        self._used = used
        self._approval = approval
        #: An agent reads text; code that calls a tool itself gets the very values.
        self._read_by_agent = read_by_agent()
        self._begun = False

    def made(self, call: Callable[[], Any]) -> Any:
        """The result of the call, or the recorded one."""
        original = _original(self._tool)
        if isinstance(original, BaseAgentTool):
            if self._approval is not None:
                raise self._run.stop(failures.of_build(CrewBroken(NO_STEP.format(self._tool.name))))
            return self._run.recorder.delegated(call)
        came_to: list[Any] = []

        def begin() -> Any:
            self._begun = True
            came_to.append(self._inside(call))
            return self._written(came_to[0])

        try:
            result = self._run.recorder.tool_call(
                self._tool.name, self._arguments, begin, declared(original), self._approval
            )
        finally:
            if not self._begun:
                self._used()
        if self._read_by_agent:
            return result
        if result == {NOT_SERIALIZABLE: True}:
            return came_to[0] if came_to else self._inside(call)
        return read(result)

    async def result_async(
        self, call: Callable[..., Awaitable[Any]], arguments: Callable[[], tuple[Any, ...]] = tuple
    ) -> Any:
        """The same for an async call, which runs on the caller's loop.

        Its `arguments` come right before it, from a thread that may block.
        """
        loop = asyncio.get_running_loop()
        under_way: list[Future[Any]] = []

        async def awaited(*given: Any) -> Any:
            return await call(*given)

        def wait() -> Any:
            under_way.append(asyncio.run_coroutine_threadsafe(awaited(*arguments()), loop))
            return under_way[-1].result()

        try:
            return await asyncio.to_thread(contextvars.copy_context().run, self.made, wait)
        except asyncio.CancelledError:
            for each in under_way:
                each.cancel()
            raise

    def _inside(self, call: Callable[[], Any]) -> Any:
        original = _original(self._tool)
        token = INSIDE_TOOL.set(True)
        try:
            with let_through(original, self._tool, *_parts(original)):
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
