"""The run that the current code belongs to, for tools, model calls and listeners to find."""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass, replace

from crewai import Task
from crewai.agents.agent_builder.base_agent import BaseAgent

from bot.core.questions.question import Source
from bot.core.runs.run import Claim
from crews.definitions.definition import Limits
from crews.definitions.gates import Gate, Gates
from crews.run.files import RunFiles
from crews.run.folder import RunFolder
from crews.run.lease import Lease
from crews.run.parking import ResidentRuns
from crews.run.progress_notes import ProgressNotes
from crews.run.questions import Announcer, Asking, HumanQuestions
from crews.run.recorder import Recorder
from crews.run.session import RunHistory, RunSession
from crews.run.store_proxy import StoreProxy

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


AskHumanFor = bool | tuple[str, ...]
"""Which agents of a crew have the tool ask_human: all, none, or those with these roles."""
ASK_HUMAN_ENTRY = "ask_human"
"""The entry of the journal that says which agents of a run have it."""
CREWAI_AGENTS_ENTRY = "crewai_agents"
"""The entry that says that agents of CrewAI's own, such as its planner, don't have it."""


class RunContext(RunSession):
    """A run's session with its questions and its recorder. Thread-safe."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a run is made of
        self,
        claim: Claim,
        limits: Limits,
        store: StoreProxy,
        announcer: Announcer,
        history: RunHistory | None = None,
        resident: ResidentRuns | None = None,
        lease: Lease | None = None,
        folder: RunFolder | None = None,
    ) -> None:
        super().__init__(claim, limits, store, history, resident, lease, folder)
        #: Which tools need an approval; set by who opens the run.
        self.gates = Gates()
        #: Those that stood before tools when people were asked about calls of them, by the tools' names.
        self.former_gates = {
            each.call.tool: Gate.of_question(each.call, each.policy)
            for each in self.history.asked.values()
            if each.source is Source.GATE and each.call is not None
        }
        #: Which agents have the tool ask_human without naming it; set by `give_ask_human`.
        self.ask_human: AskHumanFor = False
        #: Whether agents of CrewAI's own have it, too, as in runs that earlier releases began.
        self.crewai_agents_ask = False
        #: Where questions are put to people.
        self.questions = HumanQuestions(self, store, announcer)
        #: What every model call and tool call passes through.
        self.recorder = Recorder(self, self.questions)
        #: What it was started with, and what it makes.
        self.files = RunFiles(self, store)
        #: What the crew says of its progress.
        self.notes = ProgressNotes(self, store)

    def give_ask_human(self, to: AskHumanFor) -> None:
        """Give these agents the tool ask_human, for as long as the run lives.

        A run keeps what it began with, also where the crew said otherwise then, or an earlier release gave it
        to nobody: its recorded model calls were made with those tools.
        """
        journal = self.history.journal
        self.crewai_agents_ask = journal.begun and journal.found(CREWAI_AGENTS_ENTRY) is None
        if not journal.begun:
            self.writer.write(CREWAI_AGENTS_ENTRY, json.dumps("not asking"))
            self.writer.write(ASK_HUMAN_ENTRY, json.dumps(to))
            self.ask_human = to
            return
        for _, given in journal.records(ASK_HUMAN_ENTRY):
            self.ask_human = given if isinstance(given, bool) else tuple(given)

    def asking_of(self, who: AgentAtWork | None, asking: Asking) -> Asking:
        """A question with the task and the agent that it comes from."""
        agent = who.agent if who is not None else None
        return replace(
            asking,
            task=self.identity.task(who.task if who is not None else None),
            agent_id=self.identity.agent_id(agent),
            asker=agent.role.strip() if agent is not None else asking.asker,
        )


def idempotency_key() -> str:
    """A name for the tool call that calls this, the same whenever that call is made again.

    Give it to whatever the tool asks to do something (a payment, a message), so that it isn't done twice.
    Raises RuntimeError outside of a tool of a run.
    """
    run = CURRENT.get()
    key = run.recorder.tools.idempotency_key() if run is not None else None
    if key is None:
        raise RuntimeError("There is an idempotency key only inside a tool of a run that Crewdeck started.")
    return key
