"""The crews that are defined: folders with YAML, and factories that packages register.

Reading them imports no crewai. A broken definition becomes a problem; it never keeps others from
working.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from bot.core.runs.crew import Crew
from crews.definitions import yaml_lines
from crews.definitions.agents_and_tasks import AgentEntry, TaskEntry
from crews.definitions.definition import ASK_HUMAN, Limits, YamlCrewFile
from crews.definitions.entry import is_reference
from crews.definitions.placeholders import PLACEHOLDER
from crews.definitions.policies import Policies
from crews.definitions.policies_file import read_policies
from crews.definitions.validation import did_you_mean, validated, validated_all
from crews.definitions.yaml_lines import Document, Problem, Unreadable

GROUP = "crewdeck.crews"
"""The entry point group of factories."""
FILES = ("crew.yaml", "agents.yaml", "tasks.yaml")
TEXT_TYPES = frozenset({"string", "text", "choice", "date", "time", "datetime", "email", "url"})
"""Types of inputs whose values are text."""

_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Definition:
    """A crew in YAML, validated as far as that is possible without CrewAI."""

    name: str
    folder: Path
    crew: YamlCrewFile
    agents: Mapping[str, AgentEntry]
    tasks: Mapping[str, TaskEntry]
    #: `crew.yaml`, `agents.yaml` and `tasks.yaml` with the positions of their keys.
    page: Document
    agents_page: Document
    tasks_page: Document
    #: Those of its folder.
    shared: Policies = field(default_factory=Policies)

    def card(self) -> Crew:
        reviewers = [
            task.approvers.approvers(self.policies)
            for task in self.tasks.values()
            if task.approvers is not None
        ]
        return self.crew.card(self.name, self.shared, *reviewers)

    @property
    def policies(self) -> Policies:
        """All groups and policies that the crew can name."""
        return self.crew.named(self.shared)

    def asks_people(self, agent: str) -> bool:
        """Whether this agent has the tool ask_human."""
        chosen = self.crew.ask_human
        listed = chosen if isinstance(chosen, bool) else agent in chosen
        return listed and self.agents[agent].ask_human

    @property
    def has_keys_of_crewai(self) -> bool:
        """Whether it has values that only CrewAI, or a tool's class, can check."""
        entries = (self.crew, *self.agents.values(), *self.tasks.values())
        return (
            any(each.crewai for each in entries)
            or any(isinstance(each.llm, dict) for each in self.agents.values())
            or any(each.with_ for each in self.crew.tools.values())
        )

    @property
    def limits(self) -> Limits:
        return self.crew.limits

    @property
    def review_rounds(self) -> int:
        return self.crew.review.rounds


@dataclass(frozen=True)
class DefinedCrews:
    """All definitions by name, and the problems of others."""

    definitions: Mapping[str, Definition] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    #: Factories in Python, not yet imported.
    factories: tuple[EntryPoint, ...] = ()

    def cards(self) -> list[Crew]:
        return [definition.card() for definition in self.definitions.values()]


def read(folders: Iterable[Path], *, installed: bool = True) -> DefinedCrews:
    """Read all crews of these folders; of two with the same name the later one counts.

    `installed`: also the factories that installed packages register.
    """
    definitions: dict[str, Definition] = {}
    problems: list[Problem] = []
    for folder in folders:
        try:
            homes = [each for each in sorted(folder.iterdir()) if _is_home(each)]
        except OSError as error:
            problems.append(Problem(folder, 0, "", _no_folder(error), code="unreadable"))
            continue
        shared, found = read_policies(folder)
        problems += found
        for each in homes:
            definition, found = read_crew(each, shared)
            problems += found
            if definition is not None:
                definitions[definition.name] = definition
            else:  # Don't offer the crew that it was to replace: that is a different one.
                definitions.pop(each.name, None)
    try:
        factories = tuple(entry_points(group=GROUP)) if installed else ()
    except (OSError, ValueError) as error:  # raised by any installed package
        factories = ()
        why = f"installed crews can't be listed: {error}"
        problems.append(Problem(Path(sys.prefix), 0, "", why, code="unreadable"))
    return DefinedCrews(dict(sorted(definitions.items())), tuple(problems), factories)


def read_only(folders: Iterable[Path]) -> DefinedCrews:
    """Read these folders, each of them a crew or a folder of crews, and nothing that is installed."""
    homes: list[Path] = []
    problems: list[Problem] = []
    definitions: dict[str, Definition] = {}
    for folder in map(Path.absolute, folders):
        if not _is_home(folder):
            homes.append(folder)
            continue
        shared, found = read_policies(folder.parent)
        definition, of_crew = read_crew(folder, shared)
        problems += [*found, *of_crew]
        if definition is not None:
            definitions[definition.name] = definition
    below = read(homes, installed=False)
    for home in homes:
        if not below.problems and not any(each.folder.parent == home for each in below.definitions.values()):
            problems.append(Problem(home, 0, "", "there is no crew in it", code="no_crew"))
    return DefinedCrews({**below.definitions, **definitions}, (*problems, *below.problems))


def _is_home(folder: Path) -> bool:
    """Whether any of a crew's files is in this folder, be it readable or not."""
    return any(os.path.lexists(folder / file) for file in FILES)


def _no_folder(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "there is no such folder (CREWDECK_CONFIG_DIR)"
    return f"can't be read: {error.strerror} (CREWDECK_CONFIG_DIR)"


def read_crew(folder: Path, shared: Policies | None = None) -> tuple[Definition | None, list[Problem]]:
    """Read one crew's folder: the definition, or all of its problems. `shared`: its folder's policies."""
    pages: list[Document] = []
    problems: list[Problem] = []
    for file in FILES:
        try:
            pages.append(yaml_lines.read(folder / file))
        except Unreadable as error:
            problems.append(error.problem)
    if not _NAME.match(folder.name):
        why = "a crew's name has only letters, digits, - and _"
        problems.append(Problem(folder, 0, "", why, code="invalid_name", remedy="Rename the folder."))
    if problems:
        return None, [*problems, *(problem for page in pages for problem in _page_problems(page))]
    return _checked(folder, shared or Policies(), *pages)


def _page_problems(page: Document) -> list[Problem]:
    """What is wrong with one of the files, whatever the others have."""
    if page.file.name == FILES[0]:
        return validated(YamlCrewFile, _with_declared_defaults(page), (), page.content)[1]
    if page.file.name == FILES[1]:
        return validated_all(AgentEntry, page)[1]
    return validated_all(TaskEntry, page)[1]


def _checked(
    folder: Path, shared: Policies, crew_page: Document, agents_page: Document, tasks_page: Document
) -> tuple[Definition | None, list[Problem]]:
    crew, problems = validated(YamlCrewFile, _with_declared_defaults(crew_page), (), crew_page.content)
    agents, of_agents = validated_all(AgentEntry, agents_page)
    tasks, of_tasks = validated_all(TaskEntry, tasks_page)
    problems += of_agents + of_tasks
    problems += _order_problems(tasks, tasks_page, _names(agents_page))
    if crew is None:
        return None, problems
    pages = (crew_page, agents_page, tasks_page)
    definition = Definition(folder.name, folder, crew, agents, tasks, *pages, shared)
    problems += _crew_problems(definition, crew_page)
    problems += _ask_human_problems(definition, crew_page)
    problems += _agent_problems(definition, agents_page)
    problems += _task_problems(definition, tasks_page)
    return (None if problems else definition), problems


def _names(page: Document) -> list[str]:
    """All entries of a page by name, those with mistakes included."""
    return list(page.content) if isinstance(page.content, dict) else []


def _with_declared_defaults(page: Document) -> Document:
    """The defaults of inputs that are text are what is written: `12:30`, `0123`, `1.10`."""
    inputs = page.content.get("inputs") if isinstance(page.content, dict) else None
    for name, entry in inputs.items() if isinstance(inputs, dict) else ():
        written = page.written.get(("inputs", name, "default"))
        if isinstance(entry, dict) and written is not None and entry.get("type", "string") in TEXT_TYPES:
            entry["default"] = written
    return page


def _crew_problems(definition: Definition, page: Document) -> Iterator[Problem]:
    crew = definition.crew
    if crew.main_input is not None and crew.main_input not in crew.inputs:
        yield _unknown(page, ("main_input",), crew.main_input, "is no input of this crew", crew.inputs)
    for name, entry in crew.inputs.items():
        try:
            entry.field(name)
        except ValueError as error:
            yield page.problem(("inputs", name), str(error))
    yield from (page.problem(at, what) for at, what in crew.mistakes(definition.shared))


def _ask_human_problems(definition: Definition, page: Document) -> Iterator[Problem]:
    """What is wrong with the list of agents that have ask_human."""
    chosen = definition.crew.ask_human
    for index, name in enumerate(chosen if isinstance(chosen, list) else ()):
        if name not in definition.agents:
            yield page.problem(("ask_human", index), f"{name} is no agent of agents.yaml")


def _agent_problems(definition: Definition, page: Document) -> Iterator[Problem]:
    for name, agent in definition.agents.items():
        if ASK_HUMAN in agent.tools and not definition.asks_people(name):
            yield page.problem((name, "tools"), f"names {ASK_HUMAN}, and `ask_human` says that it has none")
        yield from _unknown_tools(definition, page, name, agent.tools)
        for key in ("role", "goal", "backstory"):
            yield from _placeholders(definition, page, (name, key), getattr(agent, key))


def _unknown(page: Document, at: yaml_lines.Location, name: str, what: str, known: Iterable[str]) -> Problem:
    return page.problem(at, f"{name} {what}", "unknown_name", did_you_mean(name, known))


def _order_problems(
    tasks: Mapping[str, TaskEntry], page: Document, agents: Iterable[str]
) -> Iterator[Problem]:
    """Wrong references of tasks to agents and each other, independent of crew.yaml. `agents`: all of them."""
    for name, task in tasks.items():
        if task.agent is not None and task.agent not in agents:
            yield _unknown(page, (name, "agent"), task.agent, "is no agent of agents.yaml", agents)
        yield from _context(page, name, task)


def _task_problems(definition: Definition, page: Document) -> Iterator[Problem]:
    for name, task in definition.tasks.items():
        yield from _unknown_tools(definition, page, name, task.tools)
        for key in ("description", "expected_output", "output_file"):
            yield from _placeholders(definition, page, (name, key), getattr(task, key) or "")
        if task.agent is None and definition.crew.process == "sequential":
            yield page.problem((name, "agent"), "is missing", "required", "Add it.")
        if task.approvers is not None and (found := task.approvers.mistake(definition.policies)):
            yield page.problem((name, "approvers", *found[0]), found[1])


def _context(page: Document, name: str, task: TaskEntry) -> Iterator[Problem]:
    order = _names(page)
    for index, other in enumerate(task.context or ()):
        if other not in order:
            yield _unknown(page, (name, "context", index), other, "is no task of tasks.yaml", order)
        elif order.index(other) >= order.index(name):
            yield page.problem((name, "context", index), f"{other} doesn't come before {name}")


def _unknown_tools(
    definition: Definition, page: Document, name: str, tools: Iterable[str]
) -> Iterator[Problem]:
    for index, tool in enumerate(tools):
        if tool == ASK_HUMAN or is_reference(tool):
            continue
        known = definition.crew.tools
        if tool not in known:
            remedy = did_you_mean(tool, known)
            yield page.problem(
                (name, "tools", index), f"crew.yaml names no tool {tool}", "unknown_name", remedy
            )
        elif known[tool].use is None:
            yield page.problem((name, "tools", index), f"crew.yaml doesn't say with `use` what {tool} is")


def _placeholders(
    definition: Definition, page: Document, at: yaml_lines.Location, text: str
) -> Iterator[Problem]:
    for name in dict.fromkeys(PLACEHOLDER.findall(text)):
        if name not in definition.crew.inputs:
            known = definition.crew.inputs
            yield _unknown(page, at, f"{{{name}}}", "is no input of this crew", (f"{{{i}}}" for i in known))
