"""What a run carries with it while CrewAI executes it, for tools, model calls and listeners to find."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, replace

from crewai import Task
from crewai.agents.agent_builder.base_agent import BaseAgent

from bot.core.claim import Claim
from crews.definitions.definition import Limits
from crews.human_input.questions import Announcer, Asking, Desk
from crews.journal.recorder import Steps
from crews.run.stay import History, Stay
from crews.worker.hot_runs import HotRuns
from crews.worker.lease import Hold
from crews.worker.store_proxy import StoreLine

CURRENT: ContextVar[RunContext | None] = ContextVar("crewdeck_run", default=None)
"""The run that this task or thread works for; None outside of runs."""


@dataclass(frozen=True)
class AgentAtWork:
    """An agent, and the task that it works on; None for an agent's own `kickoff`."""

    agent: BaseAgent | None
    task: Task | None


AGENT: ContextVar[AgentAtWork | None] = ContextVar("crewdeck_agent", default=None)
"""The agent that works here; None in code that no agent has called for."""
INSIDE_TOOL: ContextVar[bool] = ContextVar("crewdeck_inside_tool", default=False)
"""Whether this is the work of a tool that was called, and no agent's that works for it."""


class RunContext(Stay):
    """A run at this worker, with its desk and its steps. Its methods may be called from any thread."""

    def __init__(
        self,
        claim: Claim,
        limits: Limits,
        line: StoreLine,
        announcer: Announcer,
        history: History | None = None,
        hot: HotRuns | None = None,
        hold: Hold | None = None,
    ) -> None:
        super().__init__(claim, limits, line, history, hot, hold)
        #: Where questions are put to people.
        self.desk = Desk(self, line, announcer)
        #: What every model call and tool call passes through.
        self.steps = Steps(self, self.desk)

    def asking_of(self, who: AgentAtWork | None, asking: Asking) -> Asking:
        """A question with the task and the agent that it comes from."""
        agent = who.agent if who is not None else None
        return replace(
            asking,
            task=self.parts.task(who.task if who is not None else None),
            agent_id=self.parts.agent_id(agent),
            asker=agent.role.strip() if agent is not None else "",
        )
