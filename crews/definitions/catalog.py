"""The catalogue: folders with YAML, and factories that packages register.

Reading the catalogue imports no crewai. A broken definition becomes a problem; it never keeps others from
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
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

from bot.core.crew import Crew
from crews.definitions import yaml_lines
from crews.definitions.definition import AgentEntry, CrewFile, Entry, Limits, TaskEntry
from crews.definitions.placeholders import PLACEHOLDER
from crews.definitions.yaml_lines import Document, Problem, Unreadable

GROUP = "crewdeck.crews"
"""The entry point group of factories."""
FILES = ("crew.yaml", "agents.yaml", "tasks.yaml")
ASK_HUMAN = "ask_human"
AS_WRITTEN = frozenset({"string", "text", "choice", "date", "time", "datetime", "email", "url"})
"""Types of inputs whose values are text."""

PLAIN_WORDS = {
    "missing": "is missing",
    "model_type": "must have keys with values below it",
    "dict_type": "must have keys with values below it",
}
"""For what pydantic says in words of Python, by its type of error."""

_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*$", re.IGNORECASE)

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class Definition:
    """A crew in YAML, validated as far as that is possible without CrewAI."""

    name: str
    folder: Path
    crew: CrewFile
    agents: Mapping[str, AgentEntry]
    tasks: Mapping[str, TaskEntry]

    def card(self) -> Crew:
        return self.crew.card(self.name)

    @property
    def limits(self) -> Limits:
        return self.crew.limits

    @property
    def review_rounds(self) -> int:
        return self.crew.review.rounds


@dataclass(frozen=True)
class Catalog:
    """All definitions by name, and the problems of others."""

    definitions: Mapping[str, Definition] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    #: Factories in Python, not yet imported.
    factories: tuple[EntryPoint, ...] = ()

    def cards(self) -> list[Crew]:
        return [definition.card() for definition in self.definitions.values()]


def read(folders: Iterable[Path]) -> Catalog:
    """Read all crews of these folders; of two with the same name the later one counts."""
    definitions: dict[str, Definition] = {}
    problems: list[Problem] = []
    for folder in folders:
        try:
            homes = [each for each in sorted(folder.iterdir()) if _is_home(each)]
        except OSError as error:
            problems.append(Problem(folder, 0, "", _no_folder(error)))
            continue
        for each in homes:
            definition, found = read_crew(each)
            problems += found
            if definition is not None:
                definitions[definition.name] = definition
            else:  # The one that it stands for is another crew: nobody asked for that one.
                definitions.pop(each.name, None)
    try:
        factories = tuple(entry_points(group=GROUP))
    except (OSError, ValueError) as error:  # of any package that is installed
        factories = ()
        problems.append(Problem(Path(sys.prefix), 0, "", f"installed crews can't be listed: {error}"))
    return Catalog(dict(sorted(definitions.items())), tuple(problems), factories)


def _is_home(folder: Path) -> bool:
    """Whether any of a crew's files is in this folder, be it readable or not."""
    return any(os.path.lexists(folder / file) for file in FILES)


def _no_folder(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "there is no such folder (CREWDECK_CONFIG_DIR)"
    return f"can't be read: {error.strerror} (CREWDECK_CONFIG_DIR)"


def read_crew(folder: Path) -> tuple[Definition | None, list[Problem]]:
    """Read one crew's folder: the definition, or all of its problems."""
    pages: list[Document] = []
    problems: list[Problem] = []
    for file in FILES:
        try:
            pages.append(yaml_lines.read(folder / file))
        except Unreadable as error:
            problems.append(error.problem)
    if not _NAME.match(folder.name):
        problems.append(Problem(folder, 0, "", "a crew's name has only letters, digits, - and _"))
    if problems:
        return None, problems
    return _checked(folder, *pages)


def _checked(
    folder: Path, crew_page: Document, agents_page: Document, tasks_page: Document
) -> tuple[Definition | None, list[Problem]]:
    crew, problems = _entry(CrewFile, _with_declared_defaults(crew_page), (), crew_page.content)
    agents, of_agents = _entries(AgentEntry, agents_page)
    tasks, of_tasks = _entries(TaskEntry, tasks_page)
    problems += of_agents + of_tasks
    if crew is None or problems:
        return None, problems
    definition = Definition(folder.name, folder, crew, agents, tasks)
    problems += _crew_problems(definition, crew_page)
    problems += _agent_problems(definition, agents_page)
    problems += _task_problems(definition, tasks_page)
    return (None if problems else definition), problems


def _with_declared_defaults(page: Document) -> Document:
    """The defaults of inputs that are text are what is written: `12:30`, `0123`, `1.10`."""
    inputs = page.content.get("inputs") if isinstance(page.content, dict) else None
    for name, entry in inputs.items() if isinstance(inputs, dict) else ():
        written = page.written.get(("inputs", name, "default"))
        if isinstance(entry, dict) and written is not None and entry.get("type", "string") in AS_WRITTEN:
            entry["default"] = written
    return page


def _entry(
    kind: type[E], page: Document, at: yaml_lines.Location, content: JsonValue
) -> tuple[E | None, list[Problem]]:
    try:
        return kind.model_validate(content), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    if _took_as_text(page, at, content, details):
        return _entry(kind, page, at, content)
    return None, [page.problem((*at, *_place(each["loc"])), _words(kind, each)) for each in details]


def _took_as_text(
    page: Document, at: yaml_lines.Location, content: JsonValue, details: Iterable[Mapping[str, Any]]
) -> bool:
    """Where text is wanted and a number, true or false was read, that becomes what is written for it."""
    taken = False
    for each in details:
        place = _place(each["loc"])
        written = page.written.get((*at, *place)) if each["type"] == "string_type" else None
        if written is not None:
            taken = _put(content, place, written) or taken
    return taken


def _put(content: Any, place: tuple[int | str, ...], written: str) -> bool:  # noqa: ANN401 - what a file has
    """Replace what is there; whether it wasn't the same before."""
    for key in place[:-1]:
        content = content[key]
    before, content[place[-1]] = content[place[-1]], written
    return bool(before != written)


def _place(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location without the names that pydantic adds for the branches of a union and for keys."""
    branches = {"str", "int", "float", "bool", "list[str]", "[key]"}
    return tuple(each for each in location if each not in branches)


def _words(kind: type[Entry], error: Mapping[str, object]) -> str:
    match error["type"]:
        case "extra_forbidden" if error["loc"] == ("max_execution_time",):
            return "would count the time that people take; set limits.time in crew.yaml"
        case "extra_forbidden":
            known = f" (known here: {', '.join(kind.model_fields)})" if len(error["loc"]) == 1 else ""  # type: ignore[arg-type]
            return f"is no key that Crewdeck knows{known}"
        case "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
        case "string_type" if error["input"] is None:
            return "is empty where text is wanted; write it, in quotes if the text is ~ or null"
        case _:
            said = str(error["msg"])
            return PLAIN_WORDS.get(str(error["type"])) or said[:1].lower() + said[1:]


def _entries(kind: type[E], page: Document) -> tuple[dict[str, E], list[Problem]]:
    if not isinstance(page.content, dict) or not page.content:
        return {}, [page.problem((), "must name at least one entry, each with its keys below it")]
    entries: dict[str, E] = {}
    problems: list[Problem] = []
    for name, content in page.content.items():
        entry, found = _entry(kind, page, (name,), content)
        problems += found
        if entry is not None:
            entries[name] = entry
    return entries, problems


def _crew_problems(definition: Definition, page: Document) -> Iterator[Problem]:
    crew = definition.crew
    if crew.main_input is not None and crew.main_input not in crew.inputs:
        yield page.problem(("main_input",), f"{crew.main_input} is no input of this crew")
    for name, entry in crew.inputs.items():
        try:
            entry.field(name)
        except ValueError as error:
            yield page.problem(("inputs", name), str(error))
    if ASK_HUMAN in crew.tools:
        yield page.problem(("tools", ASK_HUMAN), "every agent has ask_human already; it needs no entry")


def _agent_problems(definition: Definition, page: Document) -> Iterator[Problem]:
    for name, agent in definition.agents.items():
        yield from _unknown_tools(definition, page, name, agent.tools)
        for key in ("role", "goal", "backstory"):
            yield from _placeholders(definition, page, (name, key), getattr(agent, key))


def _task_problems(definition: Definition, page: Document) -> Iterator[Problem]:
    for name, task in definition.tasks.items():
        yield from _unknown_tools(definition, page, name, task.tools)
        for key in ("description", "expected_output"):
            yield from _placeholders(definition, page, (name, key), getattr(task, key))
        if task.agent is None:
            if definition.crew.process == "sequential":
                yield page.problem((name, "agent"), "is missing")
        elif task.agent not in definition.agents:
            yield page.problem((name, "agent"), f"{task.agent} is no agent of agents.yaml")
        yield from _context(definition, page, name, task)


def _context(definition: Definition, page: Document, name: str, task: TaskEntry) -> Iterator[Problem]:
    order = list(definition.tasks)
    for index, other in enumerate(task.context or ()):
        if other not in definition.tasks:
            yield page.problem((name, "context", index), f"{other} is no task of tasks.yaml")
        elif order.index(other) >= order.index(name):
            yield page.problem((name, "context", index), f"{other} doesn't come before {name}")


def _unknown_tools(
    definition: Definition, page: Document, name: str, tools: Iterable[str]
) -> Iterator[Problem]:
    for index, tool in enumerate(tools):
        if tool != ASK_HUMAN and tool not in definition.crew.tools:
            yield page.problem((name, "tools", index), f"crew.yaml names no tool {tool}")


def _placeholders(
    definition: Definition, page: Document, at: yaml_lines.Location, text: str
) -> Iterator[Problem]:
    for name in dict.fromkeys(PLACEHOLDER.findall(text)):
        if name not in definition.crew.inputs:
            yield page.problem(at, f"{{{name}}} is no input of this crew")
