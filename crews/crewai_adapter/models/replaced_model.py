"""Another model in place of all that a crew has, wherever it makes or calls them: for tests only.

`crews.testing` installs this; no worker does.
"""

from __future__ import annotations

# ruff: noqa: ANN401, SLF001 - CrewAI says Any here, and the seams are private
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from crewai import LLM
from crewai.llms.base_llm import BaseLLM

REPLACEMENT: ContextVar[BaseLLM | None] = ContextVar("crewdeck_replaced_model", default=None)


@contextmanager
def replaced(model: BaseLLM | None) -> Iterator[None]:
    """Call this model in place of every other while the block runs; None: the crew's own."""
    token = REPLACEMENT.set(model)
    try:
        yield
    finally:
        REPLACEMENT.reset(token)


def install() -> None:
    """Once per process, after `llm.install`."""
    if getattr(BaseLLM, "_crewdeck_replaceable", False):
        return
    BaseLLM._crewdeck_replaceable = True  # type: ignore[attr-defined]
    _replace_new_ones()
    wrap_before = BaseLLM.__dict__["_wrap_call_method"].__func__

    def wrap(cls: type[BaseLLM], method_name: str) -> None:
        wrap_before(cls, method_name)
        _wrap(cls)

    BaseLLM._wrap_call_method = classmethod(wrap)  # type: ignore[assignment,method-assign]
    for known in _subclasses(BaseLLM):  # type: ignore[type-abstract]
        _wrap(known)


def _replace_new_ones() -> None:
    """`LLM("name")` needs a key, or a package, before it is ever called."""
    make = LLM.__new__

    def made(cls: type[LLM], *args: Any, **kwargs: Any) -> Any:
        return REPLACEMENT.get() or make(cls, *args, **kwargs)

    LLM.__new__ = staticmethod(made)  # type: ignore[method-assign]


def _subclasses(cls: type[BaseLLM]) -> Iterator[type[BaseLLM]]:
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)


def _wrap(cls: type[BaseLLM]) -> None:
    for name, replaceable in (("call", _replaceable), ("acall", _replaceable_async)):
        call = cls.__dict__.get(name)
        if call is not None and not getattr(call, "_crewdeck_replaceable", False):
            wrapped = replaceable(call)
            wrapped._crewdeck_replaceable = True  # type: ignore[attr-defined]
            setattr(cls, name, wrapped)


def _replaceable(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def called(model: BaseLLM, *args: Any, **kwargs: Any) -> Any:
        other = REPLACEMENT.get()
        if other is None or other is model:
            return call(model, *args, **kwargs)
        return other.call(*args, **kwargs)

    return called


def _replaceable_async(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    async def called(model: BaseLLM, *args: Any, **kwargs: Any) -> Any:
        other = REPLACEMENT.get()
        if other is None or other is model:
            return await call(model, *args, **kwargs)
        return await other.acall(*args, **kwargs)

    return called
