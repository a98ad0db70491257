"""CrewAI's cache of what tools come to (`cache=True`), which is in memory: what it has and knew is recorded.

When a run is taken up, its finished tasks don't fill the cache again, and tasks side by side do so in another
order. A call that the cache had answered, or would answer, would be made then.
"""

from __future__ import annotations

# ruff: noqa: ANN401, SLF001 - CrewAI says Any here, and the seams are private
from collections.abc import Callable
from functools import wraps
from typing import Any

from crewai.agents.cache.cache_handler import CacheHandler

from crews.run.context import CURRENT, RunContext

OF_THE_CREW = "crew"


def install() -> None:
    """Patch the cache, once per process."""
    cache: Any = CacheHandler
    if getattr(cache, "_crewdeck_installed", False):
        return
    cache.read = _recorded(cache.read)
    cache.add = _kept(cache.add)
    cache._crewdeck_installed = True


def _recorded(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def read(cache: CacheHandler, tool: str, input: str) -> Any:  # noqa: A002 - CrewAI's name
        run = CURRENT.get()
        if run is None:
            return original(cache, tool, input)
        look = lambda: original(cache, tool, input)  # noqa: E731
        return run.recorder.tools.cached(tool, input, look, _name(run, cache))

    return read


def _kept(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def add(cache: CacheHandler, tool: str, input: str, output: Any) -> None:  # noqa: A002 - CrewAI's name
        original(cache, tool, input, output)
        run = CURRENT.get()
        name = _name(run, cache) if run is not None else None
        if run is None or name is None:
            return
        known = original_read(cache, tool, input)
        if known is not None:  # CrewAI takes up no failures.
            run.recorder.tools.keep(tool, input, known, name)

    original_read = CacheHandler.read.__wrapped__  # type: ignore[attr-defined]
    return add


def _name(run: RunContext, cache: CacheHandler) -> str | None:
    """What tells the caches of the run's crew apart: the crew's, and those of its agents. None for others."""
    crew = run.identity.crew
    if crew is None:
        return None
    if crew._cache_handler is cache:
        return OF_THE_CREW
    return next(
        (str(number) for number, each in enumerate(crew.agents, start=1) if each.cache_handler is cache), None
    )
