"""The tokens that a run's model calls used, as they are recorded with the calls and with finished tasks."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, Protocol

from crews.journal.model_call import RecordedStep

Tokens = dict[str, int]
"""How many, by CrewAI's names, such as `prompt_tokens`; `successful_requests` is among them."""
MANAGER = "manager"
"""The member of a crew that is none of its agents."""
USAGE = "usage"
"""The part of a model call's record that has them."""


class Spending(Protocol):
    """What one call of a model uses."""

    #: Whose model it is: the agent's number in the run's crew, from 1, or MANAGER; None for others.
    member: str | None
    used: Tokens

    def restore(self, used: Tokens) -> None:
        """Count them in the model, as if the call had been made."""


class TokenUsage:
    """The tokens of one run, by the names of its steps. Each step is counted once in a process."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[str | None, Tokens]] = {}

    def count_made(self, step: RecordedStep, spending: Spending | None) -> dict[str, Any]:
        """What is recorded with a call that was made, in all attempts at it."""
        if spending is None or not spending.used:
            return {}
        before = self._steps.get(step.name, (None, {}))[1]
        used = dict(Counter(before) + Counter(spending.used))
        self._steps[step.name] = (spending.member, used)
        return {USAGE: used}

    def count_replayed(self, step: RecordedStep, spending: Spending | None) -> None:
        """Count a call that was recorded, where this process hasn't."""
        used = (step.recorded or {}).get(USAGE)
        if spending is not None and used and step.name not in self._steps:
            self._steps[step.name] = (spending.member, used)
            spending.restore(used)

    def of(self, scope: str) -> dict[str, Tokens]:
        """What the steps of this scope have used, by the members of the crew."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for name, (member, used) in [*self._steps.items()]:
            if member is not None and name.startswith(f"{scope}/"):
                found[member].update(used)
        return {member: dict(used) for member, used in found.items()}
