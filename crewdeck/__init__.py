"""Crewdeck for authors of crews. Programs that start and answer runs use `crewdeck.client`.

- `ask_human`, `approve`: ask people in tools and flow methods. To await: `ask_human_async`, `approve_async`.
- `ApprovalResult`: what `approve` returns. `NotAnswered`: raised where people don't answer.
- `AskHuman`: the tool `ask_human`, for agents that a factory builds. Agents in YAML have it already.
- `requires_approval`, `Policy`: people approve each call of a tool (docs/approvals.md).
- `NotApproved`: raised where code calls such a tool and they don't.
- `crew`: declares what people need to know of a factory (docs/crews.md). Also as `register`, since CrewAI has
  a decorator `crew`, too.
- `current_run`: the run that code belongs to: `CurrentRun`, or None outside of runs.
- `attach`, `progress`: give people a file, and tell them how far the crew is.
- `idempotency_key`: inside a tool, a name for this very call, the same if the call is made again.
- `HumanInputRequiredEvent`, `HumanInputCompletedEvent`: questions and answers on CrewAI's event bus.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - a module's attributes can be anything
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crews.definitions.approval import NotApproved, requires_approval
    from crews.definitions.decorator import crew, register
    from crews.definitions.exceptions import NotAnswered
    from crews.definitions.policies import Policy
    from crews.human_input.ask_human import AskHuman
    from crews.human_input.functions import (
        ApprovalResult,
        approve,
        approve_async,
        ask_human,
        ask_human_async,
    )
    from crews.run.context import idempotency_key
    from crews.run.current_run import CurrentRun, Requester, attach, current_run, progress
    from crews.worker.bus_events import HumanInputCompletedEvent, HumanInputRequiredEvent

__all__ = [
    "ApprovalResult",
    "AskHuman",
    "CurrentRun",
    "HumanInputCompletedEvent",
    "HumanInputRequiredEvent",
    "NotAnswered",
    "NotApproved",
    "Policy",
    "Requester",
    "approve",
    "approve_async",
    "ask_human",
    "ask_human_async",
    "attach",
    "crew",
    "current_run",
    "idempotency_key",
    "progress",
    "register",
    "requires_approval",
]

_LATER = {
    "ApprovalResult": "crews.human_input.functions",
    "AskHuman": "crews.human_input.ask_human",
    "CurrentRun": "crews.run.current_run",
    "HumanInputCompletedEvent": "crews.worker.bus_events",
    "HumanInputRequiredEvent": "crews.worker.bus_events",
    "NotAnswered": "crews.definitions.exceptions",
    "NotApproved": "crews.definitions.approval",
    "Policy": "crews.definitions.policies",
    "Requester": "crews.run.current_run",
    "approve": "crews.human_input.functions",
    "approve_async": "crews.human_input.functions",
    "ask_human": "crews.human_input.functions",
    "ask_human_async": "crews.human_input.functions",
    "attach": "crews.run.current_run",
    "crew": "crews.definitions.decorator",
    "current_run": "crews.run.current_run",
    "idempotency_key": "crews.run.context",
    "progress": "crews.run.current_run",
    "register": "crews.definitions.decorator",
    "requires_approval": "crews.definitions.approval",
}
"""Imported on first use: what asks, the events and what is of runs need crewai, of `crewdeck[worker]`."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(_LATER[name]), name)
    except ModuleNotFoundError as error:
        raise ImportError(f'crewdeck.{name} needs {error.name}: pip install "crewdeck[worker]"') from error
