"""Patches that tell a run when CrewAI executes a task, and when it retries one.

CrewAI starts a task again from within the attempt that failed (`max_retry_limit`), and once more after the
attempt whose output a guardrail rejected (`guardrail_max_retries`). A task that a loop or another `kickoff`
executes again is no repetition: its steps are new ones.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

from crewai import Agent, Task
from crewai.lite_agent import LiteAgent

from crews.journal.journal import PROMPT
from crews.journal.occurrences import ATTEMPT, Attempt, Occurrences
from crews.run.context import CURRENT, RunContext

Within = Callable[..., AbstractContextManager[None]]
"""Makes the context in which a call happens, from the call's arguments."""


def install() -> None:
    """Track each execution of a task, and each attempt."""
    if getattr(Task, "_crewdeck_installed", False):
        return
    for owner, plain, awaited, within in (
        (Task, "_execute_core", "_aexecute_core", _execution),
        (Agent, "kickoff", "kickoff_async", _execution),
        (Agent, "execute_task", "aexecute_task", _attempt_at_task),
        (Agent, "_execute_and_build_output", "_execute_and_build_output_async", _attempt),
    ):
        setattr(owner, plain, _called_within(getattr(owner, plain), within))
        setattr(owner, awaited, _awaited_within(getattr(owner, awaited), within))
    LiteAgent._execute_core = _called_within(LiteAgent._execute_core, _attempt)  # type: ignore[method-assign]  # noqa: SLF001 - a seam
    Task._crewdeck_installed = True  # type: ignore[attr-defined]  # noqa: SLF001 - a seam


def _called_within(original: Callable[..., Any], within: Within) -> Callable[..., Any]:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        with within(*args, **kwargs):
            return original(*args, **kwargs)

    return call


def _awaited_within(original: Callable[..., Awaitable[Any]], within: Within) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with within(*args, **kwargs):
            return await original(*args, **kwargs)

    return call


@contextmanager
def _execution(of: object, *_args: object, **_kwargs: object) -> Iterator[None]:
    """One execution of a task or of an agent's `kickoff`, with all its attempts."""
    if CURRENT.get() is None:
        yield
        return
    with _entered(Attempt(of, within=ATTEMPT.get())):
        yield


def _attempt_at_task(
    agent: Agent, task: Task, *_args: object, **_kwargs: object
) -> AbstractContextManager[None]:
    return _attempt(agent, of=task)


@contextmanager
def _attempt(agent: object, *_args: object, of: object = None, **_kwargs: object) -> Iterator[None]:
    """One attempt of an agent; the steps of an earlier attempt in this execution may repeat."""
    run, outer = CURRENT.get(), ATTEMPT.get()
    of = of or agent
    if run is None:
        yield
    elif outer is not None and outer.of is of and outer.agent is not None:
        # Called recursively: the attempt has failed, and starts again with the same prompt.
        _occurrences(run).repeat(outer, _any)
        yield
    else:
        attempt = Attempt(of, agent, within=outer)
        if outer is not None and outer.of is of:
            if outer.latest is not None:
                _occurrences(run).repeat(outer.latest, _is_no_prompt)
            outer.latest = attempt
        with _entered(attempt):
            yield


@contextmanager
def _entered(attempt: Attempt) -> Iterator[None]:
    token = ATTEMPT.set(attempt)
    try:
        yield
    finally:
        ATTEMPT.reset(token)


def _occurrences(run: RunContext) -> Occurrences:
    return run.history.journal.occurrences


def _any(_content: Hashable) -> bool:
    return True


def _is_no_prompt(content: Hashable) -> bool:
    """Everything but prompts: the next one contains the guardrail's objection, so it is rendered again."""
    return not (isinstance(content, str) and f"/{PROMPT}/" in content)
