"""Calls of tools that agents without function calling want.

CrewAI makes a call that failed up to six times for one answer of the model, and tells the model of the last
failure. In a run it is made once, as agents with function calling do: what a call that failed has done
already isn't done again, and nobody is asked again about it, unless the model wants it again.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any

from crewai.tools.tool_usage import ToolUsage

from crews.run.context import CURRENT


@dataclass(eq=False)
class WantedCall:
    """A call that a model wants, while CrewAI makes it."""

    #: CrewAI's object for it.
    usage: ToolUsage
    #: What it failed with.
    failure: Exception | None = None


WANTED: ContextVar[WantedCall | None] = ContextVar("crewdeck_wanted_call", default=None)
"""The call that is made here for a model's answer; None in the course of it."""


def install() -> None:
    """Patch ToolUsage, once per process."""
    usage: Any = ToolUsage
    if getattr(usage, "_crewdeck_installed", False):
        return
    usage.use, usage.ause = _use(usage.use), _ause(usage.ause)
    usage._crewdeck_installed = True  # noqa: SLF001 - a seam


def _use(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def use(usage: ToolUsage, *args: Any, **kwargs: Any) -> Any:
        with _wanted(usage):
            return original(usage, *args, **kwargs)

    return use


def _ause(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def ause(usage: ToolUsage, *args: Any, **kwargs: Any) -> Any:
        with _wanted(usage):
            return await original(usage, *args, **kwargs)

    return ause


@contextmanager
def _wanted(usage: ToolUsage) -> Iterator[None]:
    """The wanted call is made in the block; CrewAI calls itself for each repetition."""
    wanted = WANTED.get()
    if CURRENT.get() is None or (wanted is not None and wanted.usage is usage):
        yield
        return
    token = WANTED.set(WantedCall(usage))
    try:
        yield
    finally:
        WANTED.reset(token)
