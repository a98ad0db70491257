"""The inputs of a project's crew: its placeholders or its flow's state, with what is declared of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crewai import Crew
from crewai.flow.flow import Flow
from pydantic import BaseModel, JsonValue, create_model

from bot.core.forms.fields import Field
from bot.core.forms.models import fields_of_model
from bot.core.forms.validation import check_field
from crews.building.build import Built
from crews.crewai_adapter.execution.kickoff import prepared_inputs
from crews.crewai_adapter.flows.access import CONVERSATION_FIELDS, is_conversational
from crews.definitions.definition import InputEntry
from crews.definitions.placeholders import PLACEHOLDER

STATE_ID = "id"
"""A field of each flow's state that CrewAI sets itself."""


def inputs_of(built: Built, defaults: Mapping[str, Any]) -> tuple[Field, ...]:
    """What a crew or a flow takes. `defaults`: values that the project declares for its placeholders."""
    if isinstance(built, Flow):
        found = _of_state(built.state)
        if is_conversational(built):
            return tuple(field for field in found if field.name not in CONVERSATION_FIELDS)
        return found
    prepared = prepared_inputs(built)
    return tuple(
        _placeholder(name, defaults.get(name), required=name not in prepared) for name in _placeholders(built)
    )


def _placeholders(crew: Crew) -> list[str]:
    """In the order of their first mention; CrewAI's own list has none."""
    agents = [*crew.agents, *([crew.manager_agent] if crew.manager_agent is not None else [])]
    texts = [
        *(text for task in crew.tasks for text in (task.description, task.expected_output, task.output_file)),
        *(text for agent in agents for text in (agent.role, agent.goal, agent.backstory)),
    ]
    mentioned = [name for text in texts for name in PLACEHOLDER.findall(text or "")]
    further = sorted(name for name in crew.fetch_inputs() if PLACEHOLDER.fullmatch(f"{{{name}}}"))
    return list(dict.fromkeys((*mentioned, *further)))


def _placeholder(name: str, default: object, *, required: bool) -> Field:
    written = default if isinstance(default, str | int | float | bool) else None
    return Field(name=name, required=required, default=None if written is None else str(written))


def _of_state(state: object) -> tuple[Field, ...]:
    """The fields of a flow's state that people can fill in; all of them have a value already."""
    if isinstance(state, BaseModel):
        names = (name for name in type(state).model_fields if name != STATE_ID)
        found = (_of_model_field(state, name) for name in names)
        return tuple(each for each in found if each is not None)
    values = state if isinstance(state, Mapping) else {}
    return tuple(
        Field.model_validate(
            {
                "name": name,
                "type": _type_of(value),
                "default": None if value == "" else value,
                "required": value != "",
            }
        )
        for name, value in values.items()
        if name != STATE_ID and PLACEHOLDER.fullmatch(f"{{{name}}}") and isinstance(value, str | int | float)
    )


def _of_model_field(state: BaseModel, name: str) -> Field | None:
    """A field of a state as an input; None for one that no form can ask for, such as a list of objects."""
    declared = type(state).model_fields[name]
    alone: Any = create_model("State", **{name: (declared.annotation, declared)})  # type: ignore[call-overload]
    try:
        (field,) = fields_of_model(alone)
    except ValueError:
        return None
    if declared.is_required():  # a declarative flow has the values beside the schema
        value = getattr(state, name, None)
        default = value if isinstance(value, str | int | float) else None
        return field.model_copy(update={"default": None if default == "" else default})
    return field.model_copy(update={"default": None}) if field.default in {"", ()} else field


def _type_of(value: str | float) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {int: "integer", float: "number"}.get(type(value), "string")


def merged(found: Iterable[Field], declared: Mapping[str, InputEntry]) -> dict[str, InputEntry]:
    """All inputs by name: those that were found, with what is declared of them, then the other declared ones.

    Raises ValueError with the name of an input whose declaration doesn't fit.
    """
    known = {field.name: field for field in found}
    entries: dict[str, InputEntry] = {}
    for name in dict.fromkeys((*known, *declared)):
        base: dict[str, JsonValue] = known.get(name, Field(name=name)).model_dump(
            mode="json", exclude={"name"}
        )
        said = (
            declared[name].model_dump(mode="json", include=declared[name].model_fields_set)
            if name in declared
            else {}
        )
        if "type" in said and said["type"] != base["type"]:
            base |= {
                "default": None,
                "choices": [],
                "min": None,
                "max": None,
                "min_length": None,
                "max_length": None,
            }
        try:
            entries[name] = InputEntry.model_validate(base | said)
            check_field(entries[name].field(name))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return entries
