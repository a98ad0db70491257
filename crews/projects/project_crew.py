"""A crew or flow of a project: the blueprint that its runs are built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from crewai import Crew

from bot.core.crew import Crew as Card
from bot.core.policy import Approvers
from crews.building.build import Built, Inputs, check_ask_human, equipped
from crews.building.guarded import tools_of
from crews.crewai_adapter.kickoff import suppress_console
from crews.definitions.definition import Limits, ToolEntry
from crews.definitions.gates import Gates, same_name
from crews.definitions.policies import Policies
from crews.definitions.tool_options import declare
from crews.projects.crewdeck_yaml import ProjectCrewEntry
from crews.run.context import AskHumanFor

Make = Callable[[], object]


@dataclass(frozen=True)
class ProjectCrew:
    """A crew of a project, with what its `crewdeck.yaml` says of it."""

    name: str
    #: Makes a new crew or flow, by the project's own code or files.
    make: Make
    entry: ProjectCrewEntry
    shared: Policies = field(default_factory=Policies)

    @property
    def limits(self) -> Limits:
        return self.entry.limits

    @property
    def review_rounds(self) -> int:
        return self.entry.review.rounds

    @property
    def tools(self) -> Sequence[ToolEntry]:
        return tuple(self.entry.tools.values())

    @property
    def gates(self) -> Gates:
        return Gates(self.entry.tools, self.entry.named(self.shared), self.entry.input_types)

    @property
    def ask_human(self) -> AskHumanFor:
        chosen = self.entry.ask_human
        return chosen if isinstance(chosen, bool) else tuple(chosen)

    @property
    def reviewers(self) -> Mapping[str, Approvers]:
        return self.entry.reviewers_by(self.entry.named(self.shared))

    def card(self) -> Card:
        return self.entry.card(self.name, self.shared, *self.reviewers.values())

    def build(self, inputs: Inputs) -> Built:  # noqa: ARG002 - CrewAI takes them at the kickoff
        suppress_console()
        built = equipped(self.name, self.make(), self.tools, lambda task: self.reviewers.get(task or ""))
        check_ask_human(self.name, built, self.ask_human)
        if isinstance(built, Crew):
            self._declare_by_name(built)
        return built

    def _declare_by_name(self, crew: Crew) -> None:
        """Entries with `use` are stored with the tools of their class already."""
        named = [(name, entry) for name, entry in self.entry.tools.items() if entry.use is None]
        for tool in tools_of(crew):
            for name, entry in named:
                if same_name(tool, name):
                    declare(tool, entry.on_interrupted)
