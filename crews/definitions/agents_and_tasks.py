"""The schemas of `agents.yaml` and `tasks.yaml`. An unknown key is an error."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from crews.definitions.crewai_keys import AGENT_KEYS, TASK_KEYS, WithCrewaiKeys
from crews.definitions.entry import Text
from crews.definitions.policies import ApproverSpec, Written, approver_spec


def _model(written: object) -> object:
    match written:
        case None | str():
            return written
        case dict() if isinstance(written.get("model", ""), str):
            return written
    raise ValueError("must be the name of a model, or its settings, such as model and temperature")


Model = Annotated[Any, BeforeValidator(_model, json_schema_input_type=str | dict[str, Any] | None)]
"""A model by its name, or its settings; those without `model` are settings of the crew's model."""


class AgentEntry(WithCrewaiKeys):
    """One agent of `agents.yaml`; CrewAI's own words."""

    crewai_keys = AGENT_KEYS

    role: Text
    goal: Text
    backstory: Text
    llm: Model = None
    tools: list[str] = []
    ask_human: bool = True
    allow_delegation: bool = False
    max_iter: Annotated[int, Field(ge=1)] | None = None
    max_rpm: Annotated[int, Field(ge=1)] | None = None
    max_retry_limit: Annotated[int, Field(ge=0)] | None = None
    respect_context_window: bool | None = None
    inject_date: bool | None = None
    date_format: Text | None = None


_NOT_IN_PATHS = frozenset("|><&;")


def _output_file(path: str) -> str:
    """A path that CrewAI takes. Raises ValueError with what is wrong."""
    if ".." in path or path.startswith(("~", "$")):
        raise ValueError("must be a path in the run's folder: without .., and without ~ or $ at its start")
    if wrong := sorted(_NOT_IN_PATHS & set(path)):
        raise ValueError(f"can't have the character {wrong[0]} in it")
    names = [part.split("}")[0] for part in path.split("{")[1:]]
    if wrong := [name for name in names if not name.isidentifier()]:
        raise ValueError(f"has a placeholder that is no name of an input: {{{wrong[0]}}}")
    return path


class TaskEntry(WithCrewaiKeys):
    """One task of `tasks.yaml`; CrewAI's own words."""

    crewai_keys = TASK_KEYS

    description: Text
    expected_output: Text
    agent: str | None = None
    context: list[str] | None = None
    tools: list[str] = []
    human_input: bool = False
    approvers: Annotated[
        ApproverSpec | None, BeforeValidator(approver_spec, json_schema_input_type=Written)
    ] = None
    """Who reviews it; if left out, the crew's approvers."""
    async_execution: bool = False
    markdown: bool = False
    output_file: Annotated[Text, AfterValidator(_output_file)] | None = None
    """What the task writes its output into, in the run's folder; with placeholders."""
    create_directory: bool | None = None
