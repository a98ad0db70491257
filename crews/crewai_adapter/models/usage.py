"""The tokens that models used, so that a run that is taken up again counts those of its recorded calls, too.

CrewAI counts them in each model object, and a crew's `token_usage` is the sum of its agents' models.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - private names of CrewAI are what this package is for
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from crewai import Crew
from crewai.llms.base_llm import BaseLLM

from crews.run.token_usage import MANAGER, Tokens

_LOCK = threading.Lock()
"""For the counters of all models: several threads may call one at a time."""
_SPENDING: ContextVar[Spending | None] = ContextVar("crewdeck_spending", default=None)
"""The model call that is being made here."""


class Spending:
    """What one call of a model uses."""

    def __init__(self, model: BaseLLM, member: str | None) -> None:
        """`member`: whose model it is, in the run's crew."""
        self._model = model
        self.member = member
        self.used: Tokens = {}

    @contextmanager
    def counted(self) -> Iterator[None]:
        """What the model counts meanwhile is this call's."""
        token = _SPENDING.set(self)
        try:
            yield
        finally:
            _SPENDING.reset(token)

    def add(self, model: BaseLLM, before: Mapping[str, int]) -> None:
        """Take over what the model has counted since; other models that it calls count for themselves."""
        if model is not self._model:
            return
        for name, count in model._token_usage.items():
            if used := count - before.get(name, 0):
                self.used[name] = self.used.get(name, 0) + used

    def restore(self, used: Tokens) -> None:
        """Count in the model what the recorded call has used."""
        _count(self._model, used)


def _count(model: BaseLLM, used: Tokens) -> None:
    with _LOCK:
        for name, count in used.items():
            model._token_usage[name] = model._token_usage.get(name, 0) + count


def track(cls: type[BaseLLM]) -> None:
    """Let models of this class say for which call they count. Again, it does nothing."""
    original = cls.__dict__.get("_track_token_usage_internal")
    if original is not None and not getattr(original, "_crewdeck_tracked", False):
        cls._track_token_usage_internal = _tracked(original)  # type: ignore[method-assign]


def _tracked(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def tracked(model: BaseLLM, *args: Any, **kwargs: Any) -> None:
        spending = _SPENDING.get()
        if spending is None:
            original(model, *args, **kwargs)
            return
        token = _SPENDING.set(None)  # `original` may call the base class' method: counted once.
        try:
            with _LOCK:
                before = dict(model._token_usage)
                original(model, *args, **kwargs)
                spending.add(model, before)
        finally:
            _SPENDING.reset(token)

    tracked._crewdeck_tracked = True  # type: ignore[attr-defined]
    return tracked


def restore(crew: Crew, used: Iterable[Mapping[str, Tokens]]) -> None:
    """Count in the crew's models what its finished tasks have used, by its members."""
    members: dict[str, object] = {str(number): each for number, each in enumerate(crew.agents, start=1)}
    # CrewAI's own manager is made later. In the crew's sum it makes no difference which model has counted.
    members[MANAGER] = crew.manager_agent or next(iter(crew.agents), None)
    for task in used:
        for member, tokens in task.items():
            model = getattr(members.get(member), "llm", None)
            if isinstance(model, BaseLLM):
                _count(model, tokens)
