"""The decorator `crew` of factories: a crew's title, inputs and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from bot.core.errors import SettingsError
from bot.core.people.policy import Approvers
from bot.core.runs.crew import Crew
from crews.definitions.declarations import (
    ApproversSpec,
    InputSpec,
    LimitsSpec,
    PolicySpec,
    QuestionsSpec,
    ReviewSpec,
    ToolSpec,
)
from crews.definitions.definition import CrewFile
from crews.definitions.policies import Policies, approver_spec

F = TypeVar("F", bound=Callable[..., object])
CREW_ATTRIBUTE, REVIEWERS_ATTRIBUTE = "__crewdeck_crew__", "__crewdeck_reviewers__"


def crew(  # noqa: PLR0913 - one for each key of crew.yaml
    *,
    title: str,
    description: str = "",
    inputs: Mapping[str, InputSpec] | None = None,
    main_input: str | None = None,
    approvers: ApproversSpec = "requester",
    cancel: str | Sequence[str] = "requester",
    reviewers: Mapping[str, ApproversSpec] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    policies: Mapping[str, PolicySpec] | None = None,
    tools: Mapping[str, ToolSpec] | None = None,
    ask_human: bool | Sequence[str] = True,
    admit: Sequence[Literal["guest", "external"]] = (),
    questions: QuestionsSpec | None = None,
    limits: LimitsSpec | None = None,
    review: ReviewSpec | None = None,
) -> Callable[[F], F]:
    """Declare what people need to know of a factory `(inputs) -> crewai.Crew`, or `-> crewai.flow.Flow`.

    The arguments are the keys of `crew.yaml` (docs/crews.md). Wherever a policy is named, it may be a
    `crewdeck.Policy`. `reviewers` says by the names of tasks who reviews them, as `approvers` of a task in
    YAML. `ask_human` says whether agents have the tool ask_human, or by their roles which ones:

        @crew(title="Tide report", inputs={"topic": {"required": True}}, main_input="topic")
        def tides(inputs): ...

    Where the name would hide CrewAI's `crew`, import it as `crewdeck.register`. Raises SettingsError if the
    arguments aren't right.
    """
    written: dict[str, object] = {
        "title": title,
        "description": description,
        "inputs": inputs,
        "main_input": main_input,
        "approvers": approvers,
        "cancel": cancel,
        "groups": groups,
        "policies": policies,
        "tools": tools,
        "ask_human": ask_human,
        "admit": admit,
        "questions": questions,
        "limits": limits,
        "review": review,
    }
    declared = _validated({key: _plain(value) for key, value in written.items() if value is not None})
    chosen_by_task = _reviewers(declared, reviewers or {})

    def declare(factory: F) -> F:
        setattr(factory, CREW_ATTRIBUTE, declared)
        setattr(factory, REVIEWERS_ATTRIBUTE, chosen_by_task)
        return factory

    return declare


register = crew
"""The same, under a name that CrewAI doesn't use."""


def _plain(value: object) -> object:
    """Mappings as dicts and sequences as lists: that is what files have, and what the models take."""
    match value:
        case str() | bytes():
            return value
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case Sequence():
            return [_plain(each) for each in value]
    return value


def _validated(written: Mapping[str, Any]) -> CrewFile:
    try:
        declared = CrewFile.model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SettingsError(f"crewdeck.crew: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if declared.main_input is not None and declared.main_input not in declared.inputs:
        raise SettingsError(f"crewdeck.crew: main_input: {declared.main_input} is no input of this crew")
    for name, entry in declared.inputs.items():
        try:
            entry.field(name)
        except ValueError as error:
            raise SettingsError(f"crewdeck.crew: inputs.{name}: {error}") from error
    for at, what in declared.mistakes(Policies()):
        raise SettingsError(f"crewdeck.crew: {'.'.join(map(str, at))}: {what}")
    return declared


def _reviewers(crew: CrewFile, written: Mapping[str, object]) -> dict[str, Approvers]:
    """Who reviews the tasks with these names. Raises SettingsError."""
    named, found = crew.named(Policies()), {}
    for task, each in written.items():
        try:
            choice = approver_spec(each)
        except ValueError as error:
            raise SettingsError(f"crewdeck.crew: reviewers.{task}: {error}") from error
        if wrong := choice.mistake(named):
            raise SettingsError(f"crewdeck.crew: reviewers.{task}: {wrong[1]}")
        found[task] = choice.approvers(named)
    return found


def reviewers_by(factory: Callable[..., Any], task: str | None) -> Approvers | None:
    """Who reviews the task with this name, as a factory declares it; None: the crew's approvers."""
    declared: Mapping[str, Approvers] = getattr(factory, REVIEWERS_ATTRIBUTE, {})
    return declared.get(task or "")


def declared_by(name: str, factory: Callable[..., Any]) -> CrewFile:
    """What a factory declares with `crew`; without a declaration, only its name."""
    declared = getattr(factory, CREW_ATTRIBUTE, None)
    return declared if isinstance(declared, CrewFile) else CrewFile(title=name.replace("_", " ").capitalize())


def card_of(name: str, factory: Callable[..., Any]) -> Crew:
    """What people need to know of a factory's crew; its attribute `crew` may say so itself."""
    own = getattr(factory, "crew", None)
    if isinstance(own, Crew):
        return own.model_copy(update={"name": name})
    reviewers: Mapping[str, Approvers] = getattr(factory, REVIEWERS_ATTRIBUTE, {})
    return declared_by(name, factory).card(name, Policies(), *reviewers.values())
