"""CrewAI's model calls, intercepted once for the whole process.

At class level, since wrapping the model that an agent was given would miss the manager's, the planner's, the
converter's and the guardrails' (docs/decisions/0003-crewai-seams.md).
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any

from crewai.llms.base_llm import BaseLLM

from crews.crewai_adapter.models import rpm, usage
from crews.definitions.definition import ASK_HUMAN
from crews.journal.model_call import ModelCall
from crews.journal.serialization import in_valid_text
from crews.run.context import CURRENT

_inside: ContextVar[bool] = ContextVar("crewdeck_inside_model_call", default=False)
"""A model class that calls another one's `call` makes one call, not two."""


def install() -> None:
    """Send the model calls of every BaseLLM class, also of later ones, through the run's recorder."""
    if getattr(BaseLLM, "_crewdeck_installed", False):
        return
    wrap_in_retries = BaseLLM.__dict__["_wrap_call_method"].__func__

    def wrap(cls: type[BaseLLM], method_name: str) -> None:
        wrap_in_retries(cls, method_name)
        _wrap(cls)

    BaseLLM._wrap_call_method = classmethod(wrap)  # type: ignore[assignment,method-assign]  # noqa: SLF001 - the seam
    usage.track(BaseLLM)  # type: ignore[type-abstract]
    BaseLLM._crewdeck_installed = True  # type: ignore[attr-defined]  # noqa: SLF001
    for known in _subclasses(BaseLLM):  # type: ignore[type-abstract]
        _wrap(known)


def _subclasses(cls: type[BaseLLM]) -> Iterator[type[BaseLLM]]:
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)


def _wrap(cls: type[BaseLLM]) -> None:
    usage.track(cls)
    for name, as_step in (("call", _as_step), ("acall", _as_async_step)):
        call = cls.__dict__.get(name)
        if call is not None and not getattr(call, "_crewdeck_step", False):
            setattr(cls, name, as_step(call))


def _as_step(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def step(model: BaseLLM, *args: Any, **kwargs: Any) -> Any:
        run = CURRENT.get()
        if run is None or _inside.get():
            return call(model, *args, **kwargs)
        args, kwargs = _with_valid_messages(args, kwargs)
        token, count = _inside.set(True), rpm.due()
        spending = usage.Spending(model, run.identity.member_with(model))

        def ask() -> Any:
            count()
            with spending.counted():
                return call(model, *args, **kwargs)

        try:
            return run.recorder.models.call(_request(call, model, args, kwargs), ask, spending)
        finally:
            _inside.reset(token)

    return _marked(step)


def _as_async_step(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(call)
    async def step(model: BaseLLM, *args: Any, **kwargs: Any) -> Any:
        run = CURRENT.get()
        if run is None or _inside.get():
            return await call(model, *args, **kwargs)
        args, kwargs = _with_valid_messages(args, kwargs)
        token, count = _inside.set(True), rpm.due()
        spending = usage.Spending(model, run.identity.member_with(model))

        async def ask() -> Any:
            await asyncio.to_thread(count)
            with spending.counted():
                return await call(model, *args, **kwargs)

        try:
            return await run.recorder.models.call_async(_request(call, model, args, kwargs), ask, spending)
        finally:
            _inside.reset(token)

    return _marked(step)


def _marked(step: Callable[..., Any]) -> Callable[..., Any]:
    step._crewdeck_step = True  # type: ignore[attr-defined]  # noqa: SLF001
    step._crewai_rate_limit_wrapped = True  # type: ignore[attr-defined]  # noqa: SLF001 - CrewAI's own mark
    return step


def _with_valid_messages(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Make the messages (the first argument) valid text: no provider accepts a lone surrogate."""
    if args:
        return (in_valid_text(args[0]), *args[1:]), kwargs
    return args, kwargs | ({"messages": in_valid_text(kwargs["messages"])} if "messages" in kwargs else {})


def _request(
    call: Callable[..., Any], model: BaseLLM, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ModelCall:
    given = inspect.signature(call).bind_partial(model, *args, **kwargs).arguments
    given = {**given.get("kwargs", {}), **given}
    tools = tuple(_offered(tool) for tool in given.get("tools") or ())
    return ModelCall(given.get("messages"), tools, given.get("response_model"), given.get("from_agent"))


def _offered(tool: Any) -> tuple[str, tuple[str, ...]]:
    """What identifies a tool: its name and parameters, not its description.

    Parameters that later releases added to `ask_human` don't count: otherwise an upgrade of Crewdeck would
    look like a change of every crew.
    """
    function = tool.get("function", tool) if isinstance(tool, dict) else {}
    schema = function.get("parameters") or function.get("input_schema") or {}
    name, parameters = str(function.get("name", "")), set(schema.get("properties") or ())
    if name == ASK_HUMAN and parameters.issuperset(_FIRST_PARAMETERS):
        parameters = _FIRST_PARAMETERS
    return name, tuple(sorted(parameters))


_FIRST_PARAMETERS = {"question", "context", "options", "kind", "reason"}
"""The parameters of `ask_human` in the first journals of the present form."""
