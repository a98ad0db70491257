"""The decorator `crew` of factories: a crew's title, inputs and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

from bot.core.crew import Crew
from bot.core.errors import SettingsError
from bot.core.policy import Approvers
from crews.definitions.definition import CrewFile
from crews.definitions.policies import Policies, Policy, approver_spec

F = TypeVar("F", bound=Callable[..., Any])
MARK, REVIEWERS = "__crewdeck_crew__", "__crewdeck_reviewers__"


def crew(
    *,
    title: str,
    description: str = "",
    inputs: Mapping[str, Mapping[str, JsonValue]] | None = None,
    main_input: str | None = None,
    approvers: str | Sequence[str] | Policy = "requester",
    cancel: str | Sequence[str] = "requester",
    reviewers: Mapping[str, str | Sequence[str] | Policy] | None = None,
    **more: JsonValue,
) -> Callable[[F], F]:
    """Declare what people need to know of a factory `(inputs) -> crewai.Crew`, or `-> crewai.flow.Flow`.

    The arguments are the keys of `crew.yaml`: also `questions`, `limits`, `review`, `admit`, `groups`,
    `policies` and `tools`. Wherever a policy is named, it may be a `crewdeck.Policy`. `reviewers` says by the
    names of tasks who reviews them, as `approvers` of a task in YAML:

        @crew(title="Tide report", inputs={"topic": {"required": True}}, main_input="topic")
        def tides(inputs): ...

    Raises SettingsError if they aren't right.
    """
    written: dict[str, Any] = {
        "title": title,
        "description": description,
        "inputs": {name: dict(field) for name, field in (inputs or {}).items()},
        "main_input": main_input,
        "approvers": approvers if isinstance(approvers, str | Policy) else list(approvers),
        "cancel": cancel if isinstance(cancel, str) else list(cancel),
        **more,
    }
    declared = _validated(written)
    chosen_by_task = _reviewers(declared, reviewers or {})

    def declare(factory: F) -> F:
        setattr(factory, MARK, declared)
        setattr(factory, REVIEWERS, chosen_by_task)
        return factory

    return declare


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
    declared: Mapping[str, Approvers] = getattr(factory, REVIEWERS, {})
    return declared.get(task or "")


def declared_by(name: str, factory: Callable[..., Any]) -> CrewFile:
    """What a factory declares with `crew`; without a declaration, only its name."""
    declared = getattr(factory, MARK, None)
    return declared if isinstance(declared, CrewFile) else CrewFile(title=name.replace("_", " ").capitalize())


def card_of(name: str, factory: Callable[..., Any]) -> Crew:
    """What people need to know of a factory's crew; its attribute `crew` may say so itself."""
    own = getattr(factory, "crew", None)
    if isinstance(own, Crew):
        return own.model_copy(update={"name": name})
    reviewers: Mapping[str, Approvers] = getattr(factory, REVIEWERS, {})
    return declared_by(name, factory).card(name, Policies(), *reviewers.values())
