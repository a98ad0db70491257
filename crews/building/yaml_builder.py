"""Builds CrewAI's crew from a folder of YAML."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from crewai import LLM, Agent, Crew, Process, Task
from crewai.llms.base_llm import BaseLLM
from pydantic import JsonValue, ValidationError

from crews.building.guarded import guarding_nothing, named_only
from crews.crewai_adapter.execution.agents import manager_texts, prepare
from crews.crewai_adapter.execution.tasks import class_of_task
from crews.crewai_adapter.models.openai import lacks_key
from crews.definitions.agents_and_tasks import AgentEntry, TaskEntry
from crews.definitions.crewai_keys import REFERENCES
from crews.definitions.defined_crews import Definition
from crews.definitions.definition import ASK_HUMAN, YamlToolEntry
from crews.definitions.entry import is_reference
from crews.definitions.exceptions import CrewBroken, missing_package
from crews.definitions.gates import Gates
from crews.definitions.script import SCRIPTED, Script, read_script
from crews.definitions.scripted import ScriptedLLM
from crews.definitions.tool_options import (
    declare,
    declare_entry,
    declare_not_asking,
    declare_reviewers,
    import_class,
    make,
)
from crews.definitions.yaml_lines import Document, Location, Problem
from crews.human_input.arguments import Parameters
from crews.human_input.ask_human import AskHuman
from crews.journal.exceptions import first_line

T = TypeVar("T")
MODELS = frozenset({"chat_llm", "function_calling_llm", "manager_llm", "planning_llm"})
"""Keys of CrewAI whose values are models."""


class YamlBuilder:
    """Builds one crew. Models that its agents share are created once."""

    def __init__(
        self,
        definition: Definition,
        gates: Gates,
        default_model: str | None,
        inputs: Mapping[str, JsonValue],
        script: Script | None = None,
    ) -> None:
        self._definition = definition
        #: The lines of the scripted model; None: they are read now.
        self._script = script
        self._gates = gates
        self._default_model = default_model
        self._inputs = inputs
        self._models: dict[str, BaseLLM] = {}

    def crew(self) -> Crew:
        """The crew. Raises CrewBroken, with file and line where CrewAI refuses a value."""
        written, definition = self._definition.crew, self._definition
        agents = {name: self._agent(name, entry) for name, entry in definition.agents.items()}
        tasks: dict[str, Task] = {}
        for name, entry in definition.tasks.items():
            tasks[name] = self._task(name, entry, agents, tasks)
        options = self._values(written.crewai, definition.page, ())
        if written.process == "hierarchical":
            options["manager_agent"] = self._manager(options, agents)
        elif named := options.keys() & {"manager_agent", "manager_llm"}:
            raise self._broken(definition.page, (min(named),), "is for `process: hierarchical`")
        if options.get("planning"):
            options.setdefault("planning_llm", self._model(None))
        options = {"memory": False, "verbose": False, **options}
        crew = self._made(
            definition.page,
            (),
            lambda: Crew(
                name=definition.name,
                agents=[agent for agent in agents.values() if agent is not options.get("manager_agent")],
                tasks=[*tasks.values()],
                process=Process(written.process),
                **options,
            ),
        )
        for name, wrong in guarding_nothing(named_only(written.tools), crew):
            problem = definition.page.problem(("tools", name), wrong, "invalid_approval")
            raise CrewBroken.at(problem)
        return crew

    def _agent(self, name: str, entry: AgentEntry) -> Agent:
        page = self._definition.agents_page
        options = entry.model_dump(exclude={"llm", "tools", "ask_human", "crewai"}, exclude_none=True)
        options |= self._values(entry.crewai, page, (name,))
        options["llm"] = self._model(entry.llm)
        asks = self._definition.asks_people(name)
        options["tools"] = [*self._tools(entry.tools), *([AskHuman()] if asks else ())]
        agent = self._made(page, (name,), lambda: Agent(**options))
        prepare(agent)
        if not asks:
            declare_not_asking(agent)
        return agent

    def _manager(self, options: dict[str, Any], agents: Mapping[str, Agent]) -> Agent:
        """The agent that is named, or CrewAI's own manager, who may have no tools but delegation."""
        named, model = options.pop("manager_agent", None), options.pop("manager_llm", None)
        if named is not None:
            if named not in agents:
                at = ("manager_agent",)
                raise self._broken(self._definition.page, at, f"{named} is no agent of agents.yaml")
            if self._definition.agents[str(named)].tools:
                of_tools = (str(named), "tools")
                raise self._broken(
                    self._definition.agents_page, of_tools, "CrewAI refuses a manager with tools"
                )
            manager = agents[str(named)]
            manager.tools = []  # ask_human is given to it when it works
        else:
            manager = Agent(**manager_texts(), llm=model or self._model(None))
            if self._definition.crew.ask_human is not True:
                declare_not_asking(manager)
        manager.allow_delegation = True
        prepare(manager)
        return manager

    def _task(
        self, name: str, entry: TaskEntry, agents: Mapping[str, Agent], tasks: Mapping[str, Task]
    ) -> Task:
        page = self._definition.tasks_page
        ours = {"agent", "context", "tools", "approvers", "crewai"}
        options = entry.model_dump(exclude=ours, exclude_none=True)
        options |= self._values(entry.crewai, page, (name,))
        if entry.context is not None:
            options["context"] = [tasks[other] for other in entry.context]
        if entry.tools:
            asks = entry.agent is None or self._definition.asks_people(entry.agent)
            options["tools"] = [*self._tools(entry.tools), *([AskHuman()] if asks else ())]
        kind = self._made(page, (name, "type"), lambda: class_of_task(options.pop("type", None)))
        agent = agents[entry.agent] if entry.agent else None
        task: Task = self._made(page, (name,), lambda: kind(name=name, agent=agent, **options))
        if entry.approvers is not None:
            declare_reviewers(task, entry.approvers.approvers(self._definition.policies))
        return task

    # ── values ──────────────────────────────────────────────────────────────────────────────────────────

    def _values(self, written: Mapping[str, JsonValue], page: Document, at: Location) -> dict[str, Any]:
        """What is written for keys of CrewAI, as CrewAI takes it."""
        folder = self._definition.folder
        found: dict[str, Any] = {}
        for key, value in written.items():
            read = self._model if key in MODELS else partial(resolve_references, key, folder=folder)
            found[key] = self._made(page, (*at, key), partial(read, value))
        return found

    def _made(self, page: Document, at: Location, make: Callable[[], T]) -> T:
        """The object made from the value at this location. Raises CrewBroken, with file and line."""
        try:
            return make()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = first["loc"][:1] if not at or len(at) == 1 else ()
            raise self._broken(page, (*at, *place), str(first["msg"])) from error
        except CrewBroken as error:
            if error.code != "crew_broken":
                raise
            raise self._broken(page, at, error.wrong) from error
        except (ImportError, ValueError, TypeError) as error:
            raise self._broken(page, at, f"CrewAI refuses it: {first_line(error)}") from error

    @staticmethod
    def _broken(page: Document, at: Location, what: str) -> CrewBroken:
        return CrewBroken.at(page.problem(at, what.rstrip(".")))

    # ── tools and models ────────────────────────────────────────────────────────────────────────────────

    def _tools(self, names: list[str]) -> list[Any]:
        named = self._definition.crew.tools
        wanted = [name for name in names if name != ASK_HUMAN]
        return [self._tool(each, named[each]) if each in named else make(each) for each in wanted]

    def _tool(self, name: str, entry: YamlToolEntry) -> Any:
        tool = made_tool(self._definition, name, entry)
        declare(tool, entry.on_interrupted)
        check_gate(self._definition, self._gates, name, tool)
        return tool

    def _model(self, written: Any) -> BaseLLM:
        """A model by its name or its settings; the crew's model, if neither is written."""
        settings = dict(written) if isinstance(written, Mapping) else {"model": written}
        name = settings.pop("model", None) or self._definition.crew.model or self._default_model
        if name is None:
            raise CrewBroken(
                "No model is set",
                "missing_model",
                remedy="Name one as `model:` in crew.yaml, or set CREWDECK_MODEL.",
            )
        key = json.dumps([name, settings], sort_keys=True)
        if key not in self._models:
            self._models[key] = self._new_model(str(name), settings)
        return self._models[key]

    def _new_model(self, name: str, settings: Mapping[str, Any]) -> BaseLLM:
        if name == SCRIPTED:
            return ScriptedLLM.of(self._script or read_script(self._definition.folder), self._inputs)
        try:
            model: BaseLLM = LLM(model=name, **settings)
        except Exception as error:
            raise _unusable(name, str(error), type(error).__name__) from error
        if lacks_key(model):
            raise _unusable(name, "OPENAI_API_KEY")
        return model


def made_tool(definition: Definition, name: str, entry: YamlToolEntry) -> Any:
    """A new tool of this entry. Raises CrewBroken, with file and line, if it doesn't take its arguments."""
    try:
        tool = make(entry.use or "", entry.with_)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _not_made(definition, name, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (TypeError, ValueError) as error:
        raise _not_made(definition, name, first_line(error)) from error
    declare_entry(tool, name, (entry.use, entry.with_))
    return tool


def _not_made(definition: Definition, name: str, why: str) -> CrewBroken:
    entry = definition.crew.tools[name]
    at = ("tools", name, "with" if entry.with_ else "use")
    return CrewBroken.at(definition.page.problem(at, f"{entry.use} refuses its arguments: {why}"))


def check_gate(definition: Definition, gates: Gates, name: str, tool: Any) -> None:
    """Raises CrewBroken, with file and line, if the gate doesn't go with the tool."""
    for problem in gate_problems(definition, gates, name, tool):
        raise CrewBroken.at(problem)


def gate_problems(definition: Definition, gates: Gates, name: str, tool: Any) -> Iterator[Problem]:
    """Why the gate of this entry of crew.yaml doesn't go with its tool."""
    gate = gates.of(tool)
    if gate is None:
        return
    parameters = Parameters(tool.name, getattr(tool, "args_schema", None), gate.hide)
    for at, what in gate.mistakes(parameters.json_schema, parameters.secrets, parameters.unknown_hidden):
        yield definition.page.problem(("tools", name, "approval", *at), what, "invalid_approval")


_KEY = re.compile(r"\b[A-Z][A-Z0-9_]*_(?:KEY|TOKEN|KEY_ID)\b")


def _unusable(name: str, said: str, kind: str = "") -> CrewBroken:
    """Why a model can't be created. Of CrewAI's message only names are repeated."""
    if key := _KEY.search(said):
        remedy = f"Set {key[0]} for the workers."
        return CrewBroken(f"The model {name} needs its key", "missing_key", remedy=remedy)
    if package := missing_package(said):
        remedy = f"Install {package} for the workers."
        return CrewBroken(f"The model {name} needs a package", remedy=remedy)
    remedy = "Correct `model:`, or CREWDECK_MODEL."
    return CrewBroken(f"CrewAI can't use the model {name} ({kind})", remedy=remedy)


def resolve_references(key: str, value: JsonValue, folder: Path) -> Any:
    """The value of one of CrewAI's keys, with what its references name. Raises CrewBroken.

    `folder`: the crew's, to which paths of skills are relative.
    """
    if key == "skills" and isinstance(value, list):
        return [_path(each, folder) for each in value]
    if key in REFERENCES and isinstance(value, list):
        return [resolve_references(key, each, folder) for each in value]
    if key in REFERENCES and is_reference(value):
        return import_class(str(value))
    return _with_references(value)


def _path(value: JsonValue, folder: Path) -> Any:
    if isinstance(value, str) and (folder / value).exists():
        return folder / value
    return _with_references(value)


def _with_references(value: JsonValue) -> Any:
    """References as CrewAI's own files have them: `{python: package.module.name}`."""
    match value:
        case dict() if [*value] == ["python"]:
            return _named(str(value["python"]))
        case dict():
            return {key: _with_references(each) for key, each in value.items()}
        case list():
            return [_with_references(each) for each in value]
    return value


def _named(name: str) -> Any:
    module, _, attribute = name.strip().rpartition(".")
    if not is_reference(f"{module}:{attribute}"):
        raise CrewBroken(f"{name!r} must be the name of something in Python, such as package.module.name")
    return import_class(f"{module}:{attribute}")
