"""Caches what the methods of a `@CrewBase` class return with its instance, not for the process.

CrewAI keeps it for the whole process, by the instance's `id()`: each crew that was built stays in memory, and
an instance at the address of an earlier one would get the agents of that one.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - methods of crews return anything
import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import crewai.project.annotations  # noqa: F401 - loads the module that is patched
from crewai.project import utils

_CACHE = "_crewdeck_class_cache"
_MAKES_CREW = "_crewdeck_makes_crew"


def install() -> None:
    """Patch CrewAI's decorators, once per process; classes that were decorated before keep theirs."""
    decorators: Any = sys.modules["crewai.project.annotations"]  # the package has another `annotations`
    decorators.memoize = memoize


def memoize(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, called once for each instance and arguments."""

    @wraps(method)
    def once(instance: Any, *args: Any, **kwargs: Any) -> Any:
        cache, key = _place(method, instance, args, kwargs)
        if cache.get(key) is None:
            cache[key] = method(instance, *args, **kwargs)
        return cache[key]

    @wraps(method)
    async def once_async(instance: Any, *args: Any, **kwargs: Any) -> Any:
        cache, key = _place(method, instance, args, kwargs)
        if cache.get(key) is None:
            cache[key] = await method(instance, *args, **kwargs)
        return cache[key]

    chosen: Callable[..., Any] = once_async if inspect.iscoroutinefunction(method) else once
    code = getattr(method, "__code__", None)  # of CrewAI's own wrapper, where the decorator is `@crew`
    setattr(chosen, _MAKES_CREW, getattr(code, "co_qualname", "") == "crew.<locals>.wrapper")
    return chosen


def crew_method(decorated: type[Any]) -> str:
    """The method with `@crew` of a `@CrewBase` class, which CrewAI doesn't mark; empty if there is none."""
    return next((name for name, each in vars(decorated).items() if getattr(each, _MAKES_CREW, False)), "")


def _place(
    method: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """Where the result is kept. Arguments are told apart as CrewAI does."""
    given = [utils._make_hashable(each) for each in (*args, *sorted(kwargs.items()))]  # noqa: SLF001 - as CrewAI
    cache: dict[str, Any] = instance.__dict__.setdefault(_CACHE, {})
    return cache, f"{method.__name__}-{given}"
