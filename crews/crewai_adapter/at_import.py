"""A module that runs its crew when it is imported: refused, as each start of a worker would run it.

Imports happen outside of runs, where nothing is recorded and nobody can be asked.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from crewai import Agent, Crew
from crewai.flow.flow import Flow

IMPORTING: ContextVar[bool] = ContextVar("crewdeck_importing", default=False)


class KickoffAtImport(RuntimeError):  # noqa: N818 - says what happened
    """Code of an author begins a crew, a flow or an agent while its module is imported."""

    def __init__(self) -> None:
        super().__init__('it runs its crew when it is imported; put that below `if __name__ == "__main__":`')


@contextmanager
def importing() -> Iterator[None]:
    """Whatever is begun in here raises KickoffAtImport, where it is begun."""
    token = IMPORTING.set(True)
    try:
        yield
    finally:
        IMPORTING.reset(token)


def install() -> None:
    """Patch what begins crews, flows and agents, once per process."""
    if getattr(Crew, "_crewdeck_at_import", False):
        return
    for owner, plain, awaited in (
        (Crew, ("kickoff",), ("kickoff_async", "akickoff")),
        (Agent, ("kickoff",), ("kickoff_async",)),
        (Flow, ("kickoff",), ("kickoff_async",)),
    ):
        for name in plain:
            setattr(owner, name, _not_at_import(getattr(owner, name)))
        for name in awaited:
            setattr(owner, name, _not_awaited_at_import(getattr(owner, name)))
    Crew._crewdeck_at_import = True  # type: ignore[attr-defined]  # noqa: SLF001 - a seam


def _not_at_import(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def kickoff(*args: Any, **kwargs: Any) -> Any:
        _check()
        return original(*args, **kwargs)

    return kickoff


def _not_awaited_at_import(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def kickoff(*args: Any, **kwargs: Any) -> Any:
        _check()
        return await original(*args, **kwargs)

    return kickoff


def _check() -> None:
    if IMPORTING.get():
        raise KickoffAtImport
